package scenario

import (
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

// retryStorm asks whether retries multiply the load of a service in trouble, and
// those of several services that call each other the load of the last.
func retryStorm() Scenario {
	plan := sim.Plan{
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
	}
	many := with(plan, func(p *sim.Plan) { p.Clients = 100 })
	hops := threeHops()
	return Scenario{
		Name:  "retry-storm",
		About: "all instances lose the connection of six calls in ten for half a minute; callers may try again",
		Plan:  plan,
		Features: []Feature{
			{Name: "budget", Without: with(plan, unbounded), With: plan, Trouble: Trouble{20 * second, 50 * second}},
			{Name: "shared budget of a hundred clients", Without: many, With: with(many, shared), Trouble: Trouble{20 * second, 50 * second}},
			{Name: "budget in each of three hops", Without: with(hops, unbounded), With: hops},
		},
	}
}

func shared(p *sim.Plan) { p.Shared = &retry.BudgetConfig{} }

// threeHops is four clients who make a thousand calls a second each to a service of
// four instances, each of which calls another, and each of those a third, which
// answers with nothing but errors. All try three times.
func threeHops() sim.Plan {
	hop := func(name string, number int) sim.Class {
		return sim.Class{Name: name, Count: 4, Workers: 16, Hop: number}
	}
	last := hop("last", 2)
	last.Fails = 1
	return sim.Plan{
		Length:     20 * second,
		Warmup:     1, // all calls count: budgets begin with a reserve
		Clients:    4,
		Idempotent: true,
		Timeout:    2 * second,
		Work:       sim.Work{Mean: ms},
		Traffic:    sim.Traffic{Load: 4000.0 / (3 * 4 * 16 * 1000)},
		Fleet:      []sim.Class{hop("front", 0), hop("middle", 1), last},
		Retry:      retry.Policy{On: retry.ConnectFailure | retry.Reset | retry.ServerFailure, Backoff: retry.BackoffConfig{BaseInterval: ms}},
	}
}
