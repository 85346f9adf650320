package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// gray has an instance of which every probe would say that it is well. The others
// collect their garbage.
func gray() Scenario {
	collects := func(c sim.Class) sim.Class {
		c.Pauses = sim.Spell{Every: 2 * second, For: 20 * ms}
		return c
	}
	return Scenario{
		Name:  "gray",
		About: "one of ten instances fails a tenth of its calls and takes twenty times as long for a fifth; all pause now and then",
		Plan: sim.Plan{
			Length:  80 * second,
			Warmup:  20 * second,
			Clients: 10,
			Work:    sim.Work{Shape: sim.Lognormal},
			Traffic: sim.Traffic{Load: 0.5},
			Timeout: 2 * second,
			Fleet:   []sim.Class{collects(servers("well", 9)), bad(collects(servers("gray", 1)))},
			Changes: []sim.Change{{At: 10 * second, Class: "gray", To: sim.Condition{Fails: 0.1, Stalls: 0.2, StallsBy: 20}}},
		},
	}
}
