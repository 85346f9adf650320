package scenario

import (
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

// outage asks how soon all is well again after all instances failed at once.
func outage() Scenario {
	fails := func(c sim.Condition) []sim.Change {
		return []sim.Change{{At: 10 * second, Class: "orders", To: c}, {At: 20 * second, Class: "orders"}}
	}
	plan := sim.Plan{
		Length:     60 * second,
		Warmup:     10 * second,
		Clients:    10,
		Idempotent: true,
		Timeout:    second,
		Traffic:    sim.Traffic{Load: 0.7},
		Fleet:      []sim.Class{servers("orders", 10)},
		Changes:    fails(sim.Condition{Fails: 1}),
		Retry:      retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.ServerFailure | retry.TimedOut, AttemptTimeout: 300 * ms},
	}
	slows := with(plan, func(p *sim.Plan) { p.Changes = fails(sim.Condition{Slow: 5}) })
	trouble := Trouble{10 * second, 20 * second}
	return Scenario{
		Name:  "outage",
		About: "all instances answer with errors for ten seconds; what counts begins with them",
		Plan:  plan,
		Features: []Feature{
			{Name: "budget", Without: with(plan, unbounded), With: plan, Trouble: trouble},
			{Name: "backoff", Without: with(plan, atOnce), With: plan, Trouble: trouble},
			{Name: "budget, where they become five times slower", Without: with(slows, unbounded), With: slows, Trouble: trouble},
			{Name: "limits, where they become five times slower", Without: slows, With: with(slows, limits), Trouble: trouble},
		},
	}
}
