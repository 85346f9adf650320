package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// slowOne asks whether clients that do not know of each other leave the slow one
// alone, and do not all try it at the same time.
func slowOne() Scenario {
	return Scenario{
		Name:    "slow-one",
		About:   "one of ten instances is ten times slower than the others",
		Clients: []int{1, 10, 100},
		Plan: sim.Plan{
			Length:  100 * second,
			Warmup:  20 * second,
			Traffic: sim.Traffic{Load: 0.5},
			Fleet:   []sim.Class{servers("well", 9), bad(slow(10, servers("slow", 1)))},
		},
	}
}
