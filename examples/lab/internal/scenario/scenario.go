// Package scenario has the worlds that the laboratory plays. Each is a file of its
// own that says what there is and what happens; to add one, write such a file and
// name it in [All].
package scenario

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// Scenario is a plan with a name.
type Scenario struct {
	Name  string
	About string // in a line
	Plan  sim.Plan
	// Clients and Loads are those with which it is played, each with each; none:
	// those of the plan.
	Clients []int
	Loads   []float64
	// Without are policies that it is not played with unless they are asked for.
	Without []string
	// Features are what it is played without and with, for the default policy or
	// those that are asked for.
	Features []Feature
	// Trials are what it is played in several ways, for the same policies.
	Trials []Trial
}

// All returns the scenarios in the order in which they are shown.
func All() []Scenario {
	return []Scenario{
		slowOne(), heterogeneous(), sinkhole(), newInstance(), zoneLoss(), rollingDeploy(),
		autoscale(), gray(), manyClients(), overload(), retryStorm(), recovery(), outage(), bimodal(), priority(),
	}
}

// Plans returns a scenario's plans, one for each number of clients and each load.
func (s Scenario) Plans() []sim.Plan {
	clients, loads := s.Clients, s.Loads
	if len(clients) == 0 {
		clients = []int{s.Plan.Clients}
	}
	if len(loads) == 0 {
		loads = []float64{s.Plan.Traffic.Load}
	}
	var plans []sim.Plan
	for _, load := range loads {
		for _, n := range clients {
			p := s.Plan
			p.Clients, p.Traffic.Load = n, load
			plans = append(plans, p)
		}
	}
	return plans
}

// Change changes all plans of a scenario alike.
func (s *Scenario) Change(change func(*sim.Plan)) {
	change(&s.Plan)
	features := slices.Clone(s.Features)
	for i := range features {
		change(&features[i].Without)
		change(&features[i].With)
	}
	s.Features = features
	trials := slices.Clone(s.Trials)
	for i := range trials {
		trials[i].Arms = slices.Clone(trials[i].Arms)
		for k := range trials[i].Arms {
			change(&trials[i].Arms[k].Plan)
		}
	}
	s.Trials = trials
}

const (
	ms     = time.Millisecond
	second = time.Second
)

// servers are as many instances of four workers each: a small server of today,
// which does 400 calls of 10 ms in a second.
func servers(name string, count int) sim.Class {
	return sim.Class{Name: name, Count: count, Workers: 4}
}

// in is the same instances in a zone.
func in(zone string, c sim.Class) sim.Class {
	c.Zone = zone
	return c
}

// bad marks those of which the share is shown.
func bad(c sim.Class) sim.Class {
	c.Bad = true
	return c
}

// slow is the same instances, so many times slower.
func slow(times float64, c sim.Class) sim.Class {
	c.Slow = times
	return c
}
