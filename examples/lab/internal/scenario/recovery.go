package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// recovery asks how long an overload is felt that is over.
func recovery() Scenario {
	return Scenario{
		Name:  "recovery",
		About: "ten seconds of one and a half times what can be done; what counts begins when they are over",
		Plan: sim.Plan{
			Length:     60 * second,
			Warmup:     20 * second,
			Clients:    10,
			Idempotent: true,
			Timeout:    second,
			Traffic: sim.Traffic{Load: 0.7, Steps: []sim.Step{
				{At: 10 * second, Load: 1.5}, {At: 20 * second, Load: 0.7},
			}},
			Fleet: []sim.Class{servers("orders", 10)},
		},
	}
}
