package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// plan is what the command line asks for.
type plan struct {
	crosses                []cross
	pairs                  int
	warmup, duration, open time.Duration
	rate                   float64 // a share of what the base reaches
	json                   bool
	out                    string // folder, "" for none
	profiles               string // folder, "" for none
}

func (p plan) validate() error {
	switch {
	case p.pairs < 1:
		return fmt.Errorf("-pairs %d: allowed are whole numbers from 1", p.pairs)
	case p.warmup < 0:
		return fmt.Errorf("-warmup %v: allowed is 0 or more", p.warmup)
	case p.duration < 10*time.Millisecond:
		return fmt.Errorf("-duration %v: allowed is 10ms or more", p.duration)
	case !(p.rate >= 0 && p.rate <= 0.9): // NaN, too
		return fmt.Errorf("-rate %v: allowed are numbers from 0 (no open loop) to 0.9", p.rate)
	case p.rate > 0 && p.open < 10*time.Millisecond:
		return fmt.Errorf("-open %v: allowed is 10ms or more", p.open)
	}
	return nil
}

// in is the plan for one scenario. A call through a chain is ten, and there are
// fewer of them to see: they are measured for longer.
func (p plan) in(s scenario.Scenario) plan {
	if s.Handler == scenario.Chain {
		p.warmup, p.duration, p.open = 3*p.warmup, 3*p.duration, 3*p.open
	}
	return p
}

// takes is how long a trial takes, about.
func (p plan) takes(t trial) time.Duration {
	const begin = 100 * time.Millisecond // processes, connections
	p = p.in(t.Scenario)
	run := begin + p.warmup + p.duration
	if p.rate > 0 {
		run += p.warmup + p.open
	}
	return time.Duration(p.pairs*len(t.lanes)) * run
}

// trial is a scenario with its lanes.
type trial struct {
	scenario.Scenario
	lanes []*lane
}

// trials are all of the plan, with the proxies that were found. What cannot be
// measured is left out, and told.
func (p plan) trials(found market) (all []trial, leftOut []string, err error) {
	for _, c := range p.crosses {
		var ways []way
		for _, w := range c.ways {
			through, err := w.through(found.names())
			if err != nil {
				return nil, nil, err
			}
			ways = append(ways, through...)
		}
		slices.SortStableFunc(ways, byBase)
		for _, s := range c.scenarios {
			t := trial{Scenario: s}
			for _, w := range ways {
				if why := found.refuses(w, s); why != "" {
					if why = w.name + ": " + why; !slices.Contains(leftOut, why) {
						leftOut = append(leftOut, why)
					}
					continue
				}
				t.add(w)
			}
			if len(t.lanes) == 0 {
				return nil, leftOut, fmt.Errorf("%s: nothing to measure; %s", s.Title(), strings.Join(leftOut, "; "))
			}
			all = append(all, t)
		}
	}
	return all, leftOut, nil
}
