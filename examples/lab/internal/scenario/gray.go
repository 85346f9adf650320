package scenario

import (
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

// gray has an instance of which every probe would say that it is well. The others
// collect their garbage.
func gray() Scenario {
	collects := func(c sim.Class) sim.Class {
		c.Pauses = sim.Spell{Every: 2 * second, For: 20 * ms}
		return c
	}
	turns := func(to sim.Condition) []sim.Change { return []sim.Change{{At: 10 * second, Class: "gray", To: to}} }
	plan := sim.Plan{
		Length:  80 * second,
		Warmup:  20 * second,
		Clients: 10,
		Work:    sim.Work{Shape: sim.Lognormal},
		Traffic: sim.Traffic{Load: 0.5},
		Timeout: 2 * second,
		Fleet:   []sim.Class{collects(servers("well", 9)), bad(collects(servers("gray", 1)))},
		Changes: turns(sim.Condition{Fails: 0.1, Stalls: 0.2, StallsBy: 20}),
	}
	// It fails no call of its own, and leaves half of them lying.
	stalls := with(plan, func(p *sim.Plan) {
		p.Idempotent, p.Changes = true, turns(sim.Condition{Stalls: 0.2, StallsBy: 20})
	})
	bounded := with(stalls, func(p *sim.Plan) { p.Retry.AttemptTimeout = 250 * ms })
	again := with(bounded, func(p *sim.Plan) { p.Retry.On = retry.ConnectFailure | retry.Reset | retry.TimedOut })
	return Scenario{
		Name:  "gray",
		About: "one of ten instances fails a tenth of its calls and takes twenty times as long for a fifth; all pause now and then",
		Plan:  plan,
		Features: []Feature{
			{Name: "attempt timeout", Without: stalls, With: bounded},
			{Name: "retry on timeout", Without: bounded, With: again},
			{Name: "hedge", Without: stalls, With: with(stalls, hedged)},
			{Name: "hedge besides both", Without: again, With: with(again, hedged)},
		},
	}
}
