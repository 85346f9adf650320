package main

import (
	"context"
	"errors"
	"fmt"
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
	case w.hops == 1:
		at = b.servers.site(false, s.Protocol)
		at.addrs, err = b.proxy(ctx, &at, w.proxy, s.Protocol, proxies.Hop{Unix: w.unix, Upstreams: at.addrs})
		return at, err
	}
	// The proxy of each instance is on its host, the other one on that of the client.
	at = b.servers.site(w.unix, s.Protocol)
	var inbound []proxies.Hop
	for _, addr := range at.addrs {
		inbound = append(inbound, proxies.Hop{Upstreams: []string{addr}})
	}
	listening, err := b.proxy(ctx, &at, w.proxy, s.Protocol, inbound...)
	if err == nil {
		at.addrs, err = b.proxy(ctx, &at, w.proxy, s.Protocol, proxies.Hop{Unix: w.unix, Upstreams: listening})
	}
	return at, err
}

// proxy starts one, and returns where it listens.
func (b *bench) proxy(ctx context.Context, at *site, name, protocol string, hops ...proxies.Hop) ([]string, error) {
	dir, err := b.dir()
	if err != nil {
		return nil, err
	}
	p, err := b.market.kind(name).Start(ctx, proxies.Config{Dir: dir, Protocol: protocol, Hops: hops})
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", name, err)
	}
	at.closers = append(at.closers, p.Stop)
	at.processes.Proxies = append(at.processes.Proxies, p.PIDs()...)
	return p.Addrs, nil
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
