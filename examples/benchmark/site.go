package main

import (
	"context"
	"errors"
	"slices"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/proxies"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// hops are in a chain, each in a process of its own.
const hops = 10

// site is where the clients of a lane call, and what serves them.
type site struct {
	addrs     []string
	processes load.Processes
	closers   []func() error // of what serves this lane alone
}

// open has what a way needs started: nothing, proxies, or a chain.
func (b *bench) open(ctx context.Context, w way, s scenario.Scenario) (at site, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, at.close())
		}
	}()
	switch {
	case s.Handler == scenario.Chain:
		err = b.chain(ctx, &at, w, s)
		return at, err
	case w.hops == 0:
		return b.servers.site(w.unix, s.Protocol), nil
	}
	k := b.market.kind(w.proxy)
	passed := k.Onward(s.Protocol)
	if w.hops == 1 {
		at = b.servers.site(false, passed)
	} else {
		// Each instance has a proxy on its host; the other one is on that of the client.
		at = b.servers.site(w.unix, k.Onward(passed))
		var inbound []proxies.Hop
		for _, addr := range at.addrs {
			inbound = append(inbound, proxies.Hop{Upstreams: []string{addr}})
		}
		if err := b.through(ctx, &at, k, passed, s.Payload, inbound...); err != nil {
			return at, err
		}
	}
	err = b.through(ctx, &at, k, s.Protocol, s.Payload, proxies.Hop{Unix: w.unix, Upstreams: at.addrs})
	return at, err
}

// through starts a proxy that is called instead of what was called without it.
func (b *bench) through(ctx context.Context, at *site, k proxies.Kind, protocol string, payload int, hops ...proxies.Hop) error {
	dir, err := b.dir()
	if err != nil {
		return err
	}
	p, err := k.Start(ctx, proxies.Config{Dir: dir, Protocol: protocol, Payload: payload, Hops: hops})
	if err != nil {
		return err
	}
	at.closers = append(at.closers, p.Stop)
	at.processes.Proxies = append(at.processes.Proxies, p.PIDs()...)
	at.addrs = p.Addrs
	return nil
}

// chain starts the last hop first: each is told where the next one is.
func (b *bench) chain(ctx context.Context, at *site, w way, s scenario.Scenario) error {
	var next *client.Assignment
	for range hops {
		hop, err := b.serve(ctx, next)
		if err != nil {
			return err
		}
		at.closers = append(at.closers, hop.stop)
		at.processes.Servers = append(at.processes.Servers, hop.pid())
		at.addrs = hop.site(w.unix, s.Protocol).addrs
		next = &client.Assignment{Variant: w.variant, Scenario: s, Addrs: at.addrs}
	}
	return nil
}

// close ends what serves the lane alone, first what calls the rest.
func (at site) close() error {
	var errs []error
	for _, end := range slices.Backward(at.closers) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
