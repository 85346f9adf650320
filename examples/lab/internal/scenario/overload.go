package scenario

import (
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

// overload has more to do than can be done: what is left to a policy is that all
// instances are used, and none refuses while another is free.
func overload() Scenario {
	full := servers("orders", 10)
	full.Limit = 40
	trouble := Trouble{10 * second, 40 * second}
	tenfold := sim.Plan{
		Length:     60 * second,
		Warmup:     10 * second,
		Clients:    20,
		Idempotent: true,
		Timeout:    second,
		Traffic:    surge(10, trouble),
		Fleet:      []sim.Class{servers("orders", 5)},
		Retry:      retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.TimedOut | retry.Overload, AttemptTimeout: 300 * ms},
	}
	return Scenario{
		Name:  "overload",
		About: "bursts of twice what ten instances can do; each refuses calls beyond forty",
		Plan: sim.Plan{
			Length:  60 * second,
			Warmup:  10 * second,
			Clients: 10,
			Timeout: second,
			Traffic: sim.Traffic{Load: 0.8, Bursts: sim.Bursts{Every: 10 * second, For: 2 * second, Times: 2.5}},
			Fleet:   []sim.Class{full},
		},
		Trials: []Trial{{Name: "ten times what can be done", Load: 10, Trouble: trouble, Arms: limited(tenfold)}},
	}
}
