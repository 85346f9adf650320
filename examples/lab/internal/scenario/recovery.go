package scenario

import (
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

// recovery asks how long an overload is felt that is over.
func recovery() Scenario {
	plan := sim.Plan{
		Length:     60 * second,
		Warmup:     20 * second,
		Clients:    10,
		Idempotent: true,
		Timeout:    second,
		Traffic: sim.Traffic{Load: 0.7, Steps: []sim.Step{
			{At: 10 * second, Load: 1.5}, {At: 20 * second, Load: 0.7},
		}},
		Fleet: []sim.Class{servers("orders", 10)},
	}
	again := with(plan, func(p *sim.Plan) {
		p.Retry.AttemptTimeout, p.Retry.On = 300*ms, retry.ConnectFailure|retry.Reset|retry.TimedOut|retry.Overload
	})
	again.Length = 120 * second
	bounded := with(again, limits)
	slows := with(again, func(p *sim.Plan) {
		p.Length = 60 * second
		p.Traffic = sim.Traffic{Load: 0.7}
		p.Fleet = []sim.Class{servers("well", 5), servers("slow", 5)}
		p.Changes = []sim.Change{{At: 10 * second, Class: "slow", To: sim.Condition{Slow: 10}}, {At: 20 * second, Class: "slow"}}
	})
	trouble := Trouble{10 * second, 20 * second}
	return Scenario{
		Name:  "recovery",
		About: "ten seconds of one and a half times what can be done; what counts begins when they are over",
		Plan:  plan,
		Features: []Feature{
			{Name: "budget", Without: with(again, unbounded), With: again, Trouble: trouble},
			{Name: "backoff", Without: with(again, atOnce), With: again, Trouble: trouble},
			{Name: "servers that heed their callers, no budget", Without: with(again, unbounded), With: with(again, unbounded, heeded), Trouble: trouble},
			{Name: "servers that heed their callers", Without: again, With: with(again, heeded), Trouble: trouble},
			{Name: "limits at servers, no budget", Without: with(again, unbounded), With: with(bounded, unbounded), Trouble: trouble},
			{Name: "limits at servers", Without: again, With: bounded, Trouble: trouble},
		},
		Trials: []Trial{{Name: "half of the servers ten times slower", Load: 0.7, Trouble: trouble, Arms: limited(slows)}},
	}
}

// limits makes servers refuse what they would not begin within a tenth of a second.
func limits(p *sim.Plan) {
	one := p.Fleet[0]
	one.Limit = 40
	p.Fleet = []sim.Class{one}
}

// atOnce makes attempts again without any wait.
func atOnce(p *sim.Plan) { p.Retry.Backoff = retry.BackoffConfig{BaseInterval: 1, MaxInterval: 1} }
