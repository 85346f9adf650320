// Command overload shows what limits are good for: ten times the load that a
// service can carry, without them and with them. It needs nothing but Go:
//
//	go run ./examples/overload
//
// It starts a real etcd, two servers and two clients, each a process of its own.
// The servers can answer 200 calls a second together; the clients make half of
// that, then ten times as many, then half of it again. All of them have deadlines
// and try again what failed. It does so twice: the second time, a document gives the
// clients limits, and a line of code the servers. It says each second what the callers noticed, and
// in the end whether limits kept what they promise. The plots show both beside each
// other.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead-go/fairlead/examples/internal/exit"
	"github.com/fairlead-go/fairlead/examples/internal/localetcd"
)

func main() {
	localetcd.Main()
	childMain()

	flag.Bool("once", false, "end after the script; it does so anyway")
	asJSON := flag.Bool("json", false, "print the verdicts as one JSON object in the last line")
	out := flag.String("out", "", "the `folder` of the plots; none: a temporary one")
	verbose := flag.Bool("v", false, "show the library's log, and what limits did, on standard error")
	flag.Parse()
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
	s := newStage(os.Stdout, *verbose)
	err := s.play(ctx, *out)
	ok := err == nil
	for _, step := range s.steps {
		ok = ok && step.OK
	}
	exit.With("overload", ok, s.steps, err, *asJSON)
}
