package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// autoscale asks whether instances that come and go with the load are used as
// soon as they are of use.
func autoscale() Scenario {
	return Scenario{
		Name:  "autoscale",
		About: "two short days, and an autoscaler that follows them ten seconds late",
		Plan: sim.Plan{
			Length:  120 * second,
			Warmup:  10 * second,
			Clients: 20,
			Traffic: sim.Traffic{Load: 1, Day: sim.Day{Length: 60 * second, Low: 0.3}},
			Fleet:   []sim.Class{servers("orders", 10)},
			Scaler:  sim.Scaler{Class: "orders", Every: 5 * second, Delay: 5 * second, Target: 0.6, Least: 6, Most: 30},
			Lists:   sim.Lists{Delay: second / 2},
		},
	}
}
