package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// rollingDeploy asks whether callers notice that all instances are replaced.
func rollingDeploy() Scenario {
	return Scenario{
		Name:  "rolling-deploy",
		About: "twelve instances are replaced one by one; lists are up to half a second late",
		Plan: sim.Plan{
			Length:     70 * second,
			Warmup:     10 * second,
			Clients:    20,
			Traffic:    sim.Traffic{Load: 0.6},
			Fleet:      []sim.Class{servers("orders", 12)},
			Deploys:    []sim.Deploy{{Class: "orders", At: 10 * second, Every: 4 * second, Drain: 3 * second}},
			Lists:      sim.Lists{Delay: second / 2},
			Idempotent: true,
		},
	}
}
