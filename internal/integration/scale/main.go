// Scale measures fairlead's registry by the thousand, against a real etcd and,
// in the same run, against the least that etcd's own client needs for the same
// thing: from put to applied by a thousand meshes, of instances and of rules, a
// thousand subscribers of one watch, ten thousand registrations, ten thousand instances, a thousand
// services, a cluster of three, and etcd's gRPC proxy in between.
//
//	go run ./internal/integration/scale -h
//
// Every process is this program again: etcd, the proxy, the clients. Read the
// ratios. They are taken within one run, each from rounds that alternate
// between the two sides, because a small machine that does other things
// besides has no absolute speed. docs/sizing.md says what follows for a
// deployment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/internal/environment"
	"github.com/fairlead-go/fairlead/internal/integration/grpcproxy"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// roles are what the workers of this program are.
func roles() map[string]worker.Role {
	all := map[string]worker.Role{
		memberRole:      worker.Given(serveMember),
		watchersRole:    worker.Given(serveWatchers),
		subscribersRole: worker.Given(serveSubscribers),
		registrarRole:   worker.Given(serveRegistrar),
		holderRole:      worker.Given(serveHolder),
		readerRole:      worker.Given(serveReader),
		membersRole:     worker.Given(serveLeases),
	}
	maps.Copy(all, grpcproxy.Roles())
	return all
}

// part is one thing that is measured, by itself.
type part struct {
	name    string
	measure func(context.Context, *run) error
}

func parts() []part {
	return []part{
		{"applied", measureApplied},
		{"rules", measureRules},
		{"subscribers", measureSubscribers},
		{"registrations", measureRegistrations},
		{"instances", measureInstances},
		{"services", measureServices},
		{"cluster", measureCluster},
		{"proxy", measureProxy},
	}
}

// run is one run of the program.
type run struct {
	sizes
	report
	parts    []part
	profiles string // folder, "" for none
	json     bool
}

func main() {
	worker.Play(roles())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // the flag set has said why
	}
	if err := r.do(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		stop()
		os.Exit(1)
	}
}

// parse reads the command line. It complains to stderr by itself.
func parse(args []string, stderr io.Writer) (*run, error) {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.SetOutput(stderr)
	r := &run{}
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	chosen := flags.String("part", strings.Join(names, ","), "what to measure")
	flags.BoolVar(&r.json, "json", false, "end with one line of JSON")
	flags.StringVar(&r.profiles, "profile", "", "write CPU profiles of the processes that are compared into this `folder`; profiling costs CPU itself")
	r.sizes.flags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	err := r.sizes.validate()
	for name := range strings.SplitSeq(*chosen, ",") {
		n := slices.Index(names, name)
		if n < 0 {
			err = errors.Join(err, fmt.Errorf("-part %q: allowed are %s", name, strings.Join(names, ", ")))
			continue
		}
		r.parts = append(r.parts, parts()[n])
	}
	if flags.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("argument %q: there are none", flags.Arg(0)))
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return r, err
}

// do measures and prints. That an aim is missed is no error: a figure is a
// figure.
func (r *run) do(ctx context.Context, out io.Writer) error {
	r.Environment, r.Sizes = environment.Read("go.etcd.io/etcd/server/v3"), r.sizes
	r.Environment.Print(out)
	for _, p := range r.parts {
		began, first := time.Now(), len(r.Figures)
		r.report.part = p.name
		if err := p.measure(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(out, "\n%s (%s)\n", p.name, time.Since(began).Round(time.Second))
		r.print(out, first)
	}
	if r.json {
		return r.printJSON(out)
	}
	return nil
}

// profile makes a worker write a CPU profile from now on, if that was asked
// for; it is complete when the function returned has been called.
func (r *run) profile(ctx context.Context, p *worker.Process, name string) (stop func() error, err error) {
	if r.profiles == "" {
		return func() error { return nil }, nil
	}
	file, err := filepath.Abs(filepath.Join(r.profiles, r.part+"-"+name+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.profiles, 0o755); err != nil {
		return nil, err
	}
	return func() error { return p.Profile(ctx, "") }, p.Profile(ctx, file)
}

// rest lets time pass in which nothing is asked of anybody.
func (r *run) rest(ctx context.Context) error { return sleep(ctx, r.Rest) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
