package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// heterogeneous has machines of three generations that nobody gave weights, and
// neighbours who take their CPU now and then.
func heterogeneous() Scenario {
	disturbed := func(c sim.Class) sim.Class {
		c.Neighbours = sim.Spell{Every: 20 * second, For: 2 * second, Slow: 2}
		return c
	}
	return Scenario{
		Name:  "heterogeneous",
		About: "instances are up to four times as fast as others, have noisy neighbours, and all weigh the same",
		Loads: []float64{0.8, 0.95},
		Plan: sim.Plan{
			Length:  60 * second,
			Warmup:  15 * second,
			Clients: 20,
			Traffic: sim.Traffic{Load: 0.8},
			Fleet: []sim.Class{
				disturbed(slow(0.5, servers("fast", 4))),
				disturbed(servers("usual", 8)),
				disturbed(bad(slow(2, servers("slow", 4)))),
			},
		},
	}
}
