// Command quickstart shows fairlead at work, with nothing installed but Go:
//
//	go run ./examples/quickstart
//
// It starts a real etcd and three HTTP and three gRPC instances as processes
// of their own, calls them through both doors at a steady rate, and meanwhile
// kills an instance, adds one, makes one ten times slower, kills etcd for ten
// seconds, revokes an instance's lease and drains an instance. After each it
// says what the callers noticed.
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

	"github.com/fairlead-go/fairlead/examples/internal/exit"
	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
)

var sabotages = []string{"retry", "watch", "ewma", "drain", "heal"}

func main() {
	localetcd.Main()
	instanceMain()

	once := flag.Bool("once", false, "print plain lines instead of a live table")
	asJSON := flag.Bool("json", false, "print the verdicts as one JSON object in the last line")
	hold := flag.Bool("hold", false, "go on after the script until interrupted")
	sabotage := flag.String("sabotage", "", "switch one thing off: "+strings.Join(sabotages, ", "))
	only := flag.String("steps", "", "play only these steps: "+strings.Join(stepNames(), ","))
	verbose := flag.Bool("v", false, "show the library's log on standard error")
	flag.Parse()
	if *sabotage != "" && !slices.Contains(sabotages, *sabotage) {
		fmt.Fprintf(os.Stderr, "-sabotage %q is invalid: allowed is one of %s\n", *sabotage, strings.Join(sabotages, ", "))
		os.Exit(2)
	}
	for name := range strings.SplitSeq(*only, ",") {
		if *only != "" && !slices.Contains(stepNames(), name) {
			fmt.Fprintf(os.Stderr, "-steps %q is invalid: allowed are %s\n", *only, strings.Join(stepNames(), ","))
			os.Exit(2)
		}
	}
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q: only flags are allowed\n", flag.Arg(0))
		os.Exit(2)
	}
	logs := io.Discard
	if *verbose {
		logs = os.Stderr
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(logs, nil)))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, steps, err := run(ctx, plan{*sabotage, *only, *hold}, newDisplay(os.Stdout, !*once && !*asJSON))
	exit.With("quickstart", ok, steps, err, *asJSON)
}
