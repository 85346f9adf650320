package main

import (
	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/bound"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// subject is who decides, by the name that -policy and reports have for it.
type subject struct {
	name string
	sim.Subject
}

// preset is the default policy.
const preset = "p2c-ewma"

// subjects are the policies of the library, and the bounds.
func subjects() []subject {
	of := func(name string, p balancer.Policy) subject {
		return subject{name, sim.Subject{Policy: p}}
	}
	reported := func(s subject) subject {
		s.Reports = true
		return s
	}
	within := func(o sim.Oracle) subject { return subject{o.String(), sim.Subject{Oracle: o}} }
	return []subject{
		of("round-robin", balancer.RoundRobin{}),
		of("random", balancer.Random{}),
		reported(of("weighted", balancer.WeightedRoundRobin{Reported: true})),
		of("least-request", balancer.LeastRequest{}),
		of(preset, balancer.P2CEWMA{}),
		reported(of("prequal", balancer.Prequal{})),
		of("ring-hash", balancer.RingHash{}),
		of("maglev", balancer.Maglev{}),
		within(bound.ShortestQueue{}),
		within(bound.CentralQueue{}),
		within(bound.P2COracle{}),
	}
}
