package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/report"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// plan is what the command line asks for.
type plan struct {
	scenarios        []scenario.Scenario
	variants         []string // compared with the base of each protocol
	pairs            int
	warmup, duration time.Duration
	json             bool
	profiles         string // folder, "" for none
}

func (p plan) validate() error {
	switch {
	case p.pairs < 1:
		return fmt.Errorf("-pairs %d: allowed are whole numbers from 1", p.pairs)
	case p.warmup < 0:
		return fmt.Errorf("-warmup %v: allowed is 0 or more", p.warmup)
	case p.duration < 10*time.Millisecond:
		return fmt.Errorf("-duration %v: allowed is 10ms or more", p.duration)
	}
	return nil
}

// lanes returns the rows of a scenario: the base, the base again, and what is
// compared with it, if it speaks the protocol.
func (p plan) lanes(s scenario.Scenario) []*report.Lane {
	b := client.Base(s.Protocol)
	lanes := []*report.Lane{{Name: b, Variant: b}, {Name: report.Again, Variant: b}}
	for _, v := range p.variants {
		if client.Dial(v, s.Protocol) != nil {
			lanes = append(lanes, &report.Lane{Name: v, Variant: v})
		}
	}
	return lanes
}

// measure adds a run to each lane in each round.
func (p plan) measure(ctx context.Context, s scenario.Scenario, lanes []*report.Lane, on *instances) error {
	for round := range p.pairs {
		for _, i := range order(round, len(lanes)) {
			l := lanes[i]
			m, err := runClient(ctx, client.Assignment{
				Variant: l.Variant, Scenario: s, Addrs: on.addrs[s.Protocol], Servers: []int{on.child.Process.Pid},
				Warmup: p.warmup, Duration: p.duration, Profile: p.profile(s, l, round),
			})
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, l.Name, err)
			}
			l.Runs = append(l.Runs, m)
		}
	}
	return nil
}

// profile is the file for the CPU profile of a run.
func (p plan) profile(s scenario.Scenario, l *report.Lane, round int) string {
	if p.profiles == "" {
		return ""
	}
	name := strings.ReplaceAll(l.Name, "/", "")
	return filepath.Join(p.profiles, fmt.Sprintf("%s-%d-%d-%s-%d.pprof", s.Protocol, s.Payload, s.Concurrency, name, round))
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
