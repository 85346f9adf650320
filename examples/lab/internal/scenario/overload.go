package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// overload has more to do than can be done: what is left to a policy is that all
// instances are used, and none refuses while another is free.
func overload() Scenario {
	limited := servers("orders", 10)
	limited.Limit = 40
	return Scenario{
		Name:  "overload",
		About: "bursts of twice what ten instances can do; each refuses calls beyond forty",
		Plan: sim.Plan{
			Length:  60 * second,
			Warmup:  10 * second,
			Clients: 10,
			Timeout: second,
			Traffic: sim.Traffic{Load: 0.8, Bursts: sim.Bursts{Every: 10 * second, For: 2 * second, Times: 2.5}},
			Fleet:   []sim.Class{limited},
		},
	}
}
