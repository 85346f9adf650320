// Benchmark compares ways to make the same call: a plain client with itself,
// and a plain client with one that goes through fairlead, over HTTP/1.1 and
// gRPC.
//
//	go run ./examples/benchmark
//	go run ./examples/benchmark -protocol grpc -concurrency 16 -pairs 50 -json
//
// What is measured, and why so:
//
//   - The servers and each client are processes of their own; this one only
//     starts them and waits. The CPU of a call is that of client and servers
//     together, from the kernel's accounts. The four instances share one
//     process: four of them on few cores would mostly measure the switching
//     between them, and every client would look cheap beside it.
//   - A client keeps a fixed number of calls in flight and begins the next when
//     one ends. That finds the cost of a call, not its latency at a given
//     rate: with all cores busy, the latencies shown are mostly queueing.
//   - The variants of a scenario run in turn, in changing order, each time as a
//     fresh process. Ratios are taken within a round, so that what disturbs
//     the machine for longer than a round disturbs neither side alone; many
//     short rounds are better than few long ones. A ratio is the median over
//     the rounds, with an interval that holds the true median with at least
//     95 % confidence.
//   - The row A/A is the base against itself: what lies within its interval is
//     noise.
//
// Like stands against like: all variants of a protocol make the same calls to
// the same four addresses, without deadlines and TLS, over the same transport
// settings. The base is what a program without fairlead would do to use all
// four: for HTTP "plain", a round-tripper that takes the hosts in turn, with an
// idle pool that holds every connection; for gRPC "round-robin", grpc's own.
// fairlead gets its instances from a static list, because no call waits for
// etcd: where the list came from makes no difference to a call.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/internal/environment"
)

func main() {
	play()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // the flag set has said why
	}
	if err := run(ctx, p, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		stop()
		os.Exit(1)
	}
}

// parse reads the command line. It complains to stderr by itself.
func parse(args []string, stderr io.Writer) (plan, error) {
	flags := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var p plan
	protocols := flags.String("protocol", "http1,grpc", "protocols")
	concurrencies := flags.String("concurrency", "16,128", "calls in flight")
	payloads := flags.String("payload", "128", "bytes of each request and each answer")
	against := flags.String("variants", "fairlead-metrics,fairlead-off", "what to compare with the base")
	flags.IntVar(&p.pairs, "pairs", 20, "rounds; each gives one ratio per variant")
	flags.DurationVar(&p.warmup, "warmup", 100*time.Millisecond, "load before each measured run")
	flags.DurationVar(&p.duration, "duration", 250*time.Millisecond, "length of each measured run")
	flags.BoolVar(&p.json, "json", false, "end with one line of JSON")
	flags.StringVar(&p.profiles, "profile", "", "write a CPU profile of every client process into this `folder`; profiling costs CPU itself")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	var errs [4]error
	p.variants, errs[0] = names("variants", *against, client.Compared())
	p.scenarios, errs[1] = scenarios(*protocols, *payloads, *concurrencies)
	errs[2] = p.validate()
	if flags.NArg() > 0 {
		errs[3] = fmt.Errorf("argument %q: there are none", flags.Arg(0))
	}
	err := errors.Join(errs[:]...)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return p, err
}

// run carries out the plan, prints tables and, where asked for, JSON. It fails
// if a call failed: such figures compare nothing.
func run(ctx context.Context, p plan, stdout, stderr io.Writer) error {
	env := environment.Read("google.golang.org/grpc")
	env.Print(stdout)
	instances, err := startInstances(ctx)
	if err != nil {
		return err
	}
	defer instances.stop()

	found := report.Report{Environment: env}
	if c := report.Confidence(p.pairs); c < 0.95 {
		found.Warnings = append(found.Warnings, fmt.Sprintf("%d pairs give intervals of %.0f %% only: 6 or more give 95 %%", p.pairs, 100*c))
	}
	for _, s := range p.scenarios {
		lanes := p.lanes(s)
		fmt.Fprintf(stderr, "%s: %d rounds of %d runs\n", s.Title(), p.pairs, len(lanes))
		if err := p.measure(ctx, s, lanes, instances); err != nil {
			return fmt.Errorf("%s: %w", s.Title(), err)
		}
		found.Add(s, lanes)
	}
	return found.Print(stdout, p.json)
}
