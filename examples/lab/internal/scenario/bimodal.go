package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// bimodal has a tail that is nobody's fault: one in fifty executions takes a
// hundred times as long, wherever it is.
func bimodal() Scenario {
	fleet := servers("orders", 10)
	fleet.Workers = 16
	fleet.Condition = sim.Condition{Stalls: 0.02, StallsBy: 100}
	plan := sim.Plan{
		Length:     60 * second,
		Warmup:     10 * second,
		Clients:    4,
		Idempotent: true,
		Timeout:    2 * second,
		Work:       sim.Work{Shape: sim.Constant, Mean: ms},
		Traffic:    sim.Traffic{Load: 0.03},
		Fleet:      []sim.Class{fleet},
	}
	return Scenario{
		Name:  "bimodal",
		About: "an execution takes 1 ms, and one in fifty 100 ms, at every instance",
		Plan:  plan,
		Features: []Feature{
			{Name: "hedge", Without: plan, With: with(plan, hedged)},
			{Name: "hedge, of which servers stop the loser", Without: plan, With: with(plan, hedged, heeded)},
		},
	}
}
