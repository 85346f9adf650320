// Benchmark compares ways to make the same call: by a plain client, by what the
// ecosystem has, through fairlead, and through proxies as a service mesh has them.
//
//	go run ./examples/benchmark -quick -json        # two minutes
//	go run ./examples/benchmark -out report         # everything, half an hour
//	go run ./examples/benchmark -protocol grpc -concurrency 16 -variants fairlead-all,sidecar-envoy -pairs 50
//
// What is measured, and why so:
//
//   - The servers, each client and each proxy are processes of their own; this one
//     only starts them and waits. The CPU of a call is that of all of them
//     together, from the kernel's accounts. The four instances share one
//     process: four of them on few cores would mostly measure the switching
//     between them, and every client would look cheap beside it.
//   - A run is a closed loop and then an open one, by the same client. The closed
//     loop keeps a number of calls in flight and begins the next when one ends: it
//     finds the throughput, and what a call costs. With all cores busy its
//     latencies are mostly queueing. So they come from the open loop, where calls
//     arrive by themselves at the same rate for all lanes, a share of what the base
//     can do, and each is timed from its arrival whether it could begin or not.
//   - The lanes of a scenario run in turn, in changing order, each time with a
//     fresh client. Ratios are taken within a round, so that what disturbs
//     the machine for longer than a round disturbs neither side alone; many
//     short rounds are better than few long ones. A ratio is the median over
//     the rounds, with an interval that holds the true median with at least
//     95 % confidence.
//   - The row A/A is the base against itself: what lies within its interval is
//     noise.
//
// Like stands against like: all lanes of a protocol make the same calls to
// the same four addresses, without TLS, over the same transport
// settings. The base is what a program without fairlead would do to use all
// four: for HTTP "plain", a round-tripper that takes the hosts in turn, with an
// idle pool that holds every connection; for gRPC "round-robin", grpc's own.
// fairlead gets its instances from a static list, because no call waits for
// etcd: where the list came from makes no difference to a call.
//
// The ways through proxies have a plain client, which knows one address:
//
//   - sidecar-NAME: the client's proxy calls the instances.
//   - sidecar2-NAME: the client's proxy calls that of an instance, which calls the
//     instance, as in a mesh with mutual TLS, but without TLS.
//   - central-NAME: four clients share a proxy, and are compared with four clients
//     that have none (-x4). All is on one machine, so that the way over the network
//     to a central proxy and back is not in the figures.
//
// Lanes named -unix use unix sockets where both ends are on one host: sidecars to
// their clients and, inbound, to their instances; without a proxy, clients to
// instances, which are then compared with a base that does so, too.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
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

// run carries out the plan, prints tables and, where asked for, JSON. It fails
// if a call failed: such figures compare nothing. What was found before a failure,
// or before an interruption, is printed, too.
func run(ctx context.Context, p plan, stdout, stderr io.Writer) (err error) {
	for _, dir := range []string{p.out, p.profiles} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	found := p.begun()
	found.Environment.Print(stdout)
	b, err := prepare(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if e := b.close(); err == nil {
			err = e
		}
	}()
	trials, leftOut, err := p.trials(b.market)
	if err != nil {
		return err
	}
	for _, l := range leftOut {
		fmt.Fprintln(stderr, "left out:", l)
	}
	found.Method, found.Proxies = p.method(trials), b.market.proxiesOf(trials)
	tell := newProgress(stderr, p, trials)
	for _, t := range trials {
		tell.begins(t)
		if err = p.measure(ctx, t, b, tell); err != nil {
			if ctx.Err() != nil {
				err = errors.New("interrupted") // how children ended says less
			}
			err = fmt.Errorf("%s: %w", t.Title(), err)
			break
		}
		found.Add(t.Scenario, t.reported())
		if w := t.saturated(); w != "" {
			found.Warnings = append(found.Warnings, w)
		}
	}
	tell.ended()
	found.Method = append(found.Method, exactness(trials)...)
	return p.publish(found, stdout, err)
}
