package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
)

// measure adds a run to each lane in each round. What a lane needs runs from the
// first to the last: it uses nothing while it is not called.
func (p plan) measure(ctx context.Context, t trial, b *bench, tell *progress) (err error) {
	p = p.in(t.Scenario)
	for _, l := range t.lanes {
		at, err := b.open(ctx, l.way, t.Scenario)
		if err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
		l.site = at
		defer func() {
			if e := at.close(); err == nil {
				err = e
			}
		}()
	}
	rate := 0.0
	if p.rate > 0 {
		calibration := p
		calibration.rate, calibration.profiles = 0, ""
		m, err := runClients(ctx, calibration.assignments(t, t.lanes[0], 0, 0)...)
		if err != nil {
			return fmt.Errorf("calibration, %s: %w", t.lanes[0].Name, err)
		}
		rate = p.rate * m.RPS()
	}
	for round := range p.pairs {
		for _, i := range order(round, len(t.lanes)) {
			l := t.lanes[i]
			m, err := runClients(ctx, p.assignments(t, l, round, rate)...)
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, l.Name, err)
			}
			l.Runs = append(l.Runs, m)
			tell.ran(t, round)
		}
	}
	return nil
}

// assignments are those of the clients of a run, which share its calls. All lanes
// of a round have the same arrivals.
func (p plan) assignments(t trial, l *lane, round int, rate float64) []client.Assignment {
	all := make([]client.Assignment, l.clients)
	for i := range all {
		s := t.Scenario
		s.Concurrency /= l.clients
		all[i] = client.Assignment{
			Variant: l.variant, Scenario: s, Addrs: l.site.addrs, Servers: l.site.processes.Servers, Proxies: l.site.processes.Proxies,
			Warmup: p.warmup, Duration: p.duration, Rate: rate / float64(l.clients), Open: p.open, Seed: uint64(round*l.clients + i),
			Profile: p.profile(t, l, round, i),
		}
	}
	return all
}

// profile names the profiles of a run.
func (p plan) profile(t trial, l *lane, round, client int) string {
	if p.profiles == "" {
		return ""
	}
	name := fmt.Sprintf("%s-%d-%d-%s-%s-%s-%d", t.Protocol, t.Payload, t.Concurrency, t.Handler, t.Deadline, strings.ReplaceAll(l.Name, "/", ""), round)
	if l.clients > 1 {
		name += fmt.Sprintf("-%d", client)
	}
	return filepath.Join(p.profiles, name)
}

// order is the order of n lanes in a round. It begins one lane further in each
// and turns round every time, so that over the rounds no lane stands earlier
// or later than another, or always behind the same one.
func order(round, n int) []int {
	lanes := make([]int, n)
	for place := range lanes {
		i := (place + round/2) % n
		if round%2 == 1 {
			i = n - 1 - i
		}
		lanes[place] = i
	}
	return lanes
}
