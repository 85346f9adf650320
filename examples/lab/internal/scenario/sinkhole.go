package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// sinkhole asks whether an instance that fails at once attracts calls, since it
// never has any and is the fastest of all.
func sinkhole() Scenario {
	return Scenario{
		Name:  "sinkhole",
		About: "one of ten instances answers everything with an error at once; what counts begins a second later",
		Plan: sim.Plan{
			Length:  60 * second,
			Warmup:  11 * second,
			Clients: 10,
			Traffic: sim.Traffic{Load: 0.5},
			Fleet:   []sim.Class{servers("well", 9), bad(servers("broken", 1))},
			Changes: []sim.Change{{At: 10 * second, Class: "broken", To: sim.Condition{Fails: 1}}},
		},
	}
}
