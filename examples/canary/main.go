// Command canary moves a service from one version to the next and back, under
// load, from outside: with the command line and one document, while no process
// is restarted.
//
//	go run ./examples/canary
//
// It starts a real etcd and six instances of orders as processes of their own,
// three of version v1 and three of v2, each with an HTTP and a gRPC endpoint,
// and calls them through both doors at a steady rate. An operator then runs
// fairlead rules apply, and rollback: 0 %, 5 %, 50 %, a document that is wrong,
// 100 %. All of v2 is killed, and started again. After each step it says where
// calls went and what the callers noticed.
//
// With -sabotage one thing is switched off, and the run must fail: so you can
// see that the verdicts mean something.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/exit"
	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
)

// sabotages are what can be switched off: the caller's ear for rules, and the
// fallback of the document.
var sabotages = []string{"deaf", "strict"}

func main() {
	localetcd.Main()
	instanceMain()

	once := flag.Bool("once", false, "end after the script; it does so anyway without -hold")
	asJSON := flag.Bool("json", false, "print the verdicts as one JSON object in the last line")
	sabotage := flag.String("sabotage", "", "switch one thing off, which has to show: "+strings.Join(sabotages, ", "))
	settle := flag.Duration("settle", 5*time.Second, "how long each step is watched: 2s or more")
	hold := flag.Bool("hold", false, "go on after the script until interrupted")
	verbose := flag.Bool("v", false, "show the library's log on standard error")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		fmt.Fprintf(os.Stderr, "unexpected argument %q: only flags are allowed\n", flag.Arg(0))
		os.Exit(2)
	case *sabotage != "" && !slices.Contains(sabotages, *sabotage):
		fmt.Fprintf(os.Stderr, "-sabotage %q is invalid: allowed is one of %s\n", *sabotage, strings.Join(sabotages, ", "))
		os.Exit(2)
	case *settle < 2*time.Second:
		fmt.Fprintf(os.Stderr, "-settle %s is invalid: allowed is 2s or more\n", *settle)
		os.Exit(2)
	case *once && *hold:
		fmt.Fprintln(os.Stderr, "-once and -hold exclude each other")
		os.Exit(2)
	}
	logs := io.Discard
	if *verbose {
		logs = os.Stderr
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(logs, nil)))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	steps, err := run(ctx, os.Stdout, *sabotage, *settle, *hold)
	ok := err == nil && len(steps) > 0
	for _, s := range steps {
		ok = ok && s.OK
	}
	exit.With("canary", ok, steps, err, *asJSON)
}
