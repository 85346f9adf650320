package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// priority asks whether the calls that matter are served where not all can be.
func priority() Scenario {
	trouble := Trouble{10 * second, 40 * second}
	plan := sim.Plan{
		Length:     60 * second,
		Warmup:     10 * second,
		Clients:    20,
		Idempotent: true,
		Timeout:    second,
		Traffic:    surge(1.5, trouble),
		Fleet:      []sim.Class{servers("orders", 5)},
	}
	plan.Traffic.Shares = sim.Shares{0.4, 0.4, 0.2}
	tenfold := with(plan, func(p *sim.Plan) {
		p.Traffic = surge(10, trouble)
		p.Traffic.Shares = sim.Shares{0.5, 0.45, 0.05} // half of what can be done is critical
	})
	return Scenario{
		Name:  "priority",
		About: "half a minute of one and a half times what can be done, of which a fifth is critical and two fifths can be shed",
		Plan:  with(plan, serverLimits),
		Trials: []Trial{
			{Name: "one and a half times what can be done", Load: 1.5, Trouble: trouble, Arms: limited(plan)},
			{Name: "ten times what can be done", Load: 10, Trouble: trouble, Arms: limited(tenfold)},
		},
	}
}
