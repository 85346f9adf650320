package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// retryStorm asks whether retries multiply the load of a service in trouble.
func retryStorm() Scenario {
	return Scenario{
		Name:  "retry-storm",
		About: "all instances lose the connection of six calls in ten for half a minute; callers may try again",
		Plan: sim.Plan{
			Length:     60 * second,
			Warmup:     20 * second,
			Clients:    10,
			Idempotent: true,
			Timeout:    2 * second,
			Traffic:    sim.Traffic{Load: 0.7},
			Fleet:      []sim.Class{servers("orders", 10)},
			Changes: []sim.Change{
				{At: 20 * second, Class: "orders", To: sim.Condition{Loses: 0.6}},
				{At: 50 * second, Class: "orders"},
			},
		},
	}
}
