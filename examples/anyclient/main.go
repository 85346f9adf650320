// Command anyclient balances a client that fairlead has no door for: one of
// Redis, written here in a few lines over raw TCP connections. It needs nothing
// but Go:
//
//	go run ./examples/anyclient
//
// It starts four small Redis servers in the process, one of half the weight, and
// sends them commands at a steady rate, choosing an instance for each with the
// package balancer alone. Meanwhile a caller makes mistakes, one instance begins
// to answer errors, is mended, and another one closes its port. After each it
// says what the callers noticed.
//
// With -sabotage one thing is switched off, and the run must fail: so you can
// see that the verdicts mean something.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// sabotages are what can be switched off: outlier detection, and the second
// attempt of a command.
var sabotages = []string{"detection", "retry"}

func main() {
	flag.Bool("once", false, "end after the script; it does so anyway")
	asJSON := flag.Bool("json", false, "print the verdicts as one JSON object in the last line")
	sabotage := flag.String("sabotage", "", "switch one thing off, which has to show: "+strings.Join(sabotages, ", "))
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		fmt.Fprintf(os.Stderr, "unexpected argument %q: only flags are allowed\n", flag.Arg(0))
		os.Exit(2)
	case *sabotage != "" && !slices.Contains(sabotages, *sabotage):
		fmt.Fprintf(os.Stderr, "-sabotage %q is invalid: allowed is one of %s\n", *sabotage, strings.Join(sabotages, ", "))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	steps, err := run(ctx, os.Stdout, *sabotage)
	ok := err == nil
	for _, s := range steps {
		ok = ok && s.OK
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "anyclient:", err)
	}
	if *asJSON {
		out, _ := json.Marshal(struct {
			OK    bool   `json:"ok"`
			Steps []step `json:"steps"`
		}{ok, steps})
		fmt.Println(string(out))
	}
	if !ok {
		os.Exit(1)
	}
}
