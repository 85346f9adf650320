package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// zoneLoss asks where the calls of clients go whose own zone has lost its
// instances: to the other two, as much to each.
func zoneLoss() Scenario {
	return Scenario{
		Name:  "zone-loss",
		About: "all instances of one of three zones crash; clients in it go on",
		Plan: sim.Plan{
			Length:     60 * second,
			Warmup:     20 * second,
			Clients:    30,
			Zones:      []string{"a", "b", "c"},
			Network:    sim.Network{Near: ms / 4, Far: ms},
			Traffic:    sim.Traffic{Load: 0.5},
			Idempotent: true,
			Fleet:      []sim.Class{in("a", servers("a", 6)), in("b", servers("b", 6)), in("c", bad(servers("c", 6)))},
			Changes:    []sim.Change{{At: 20 * second, Class: "c", To: sim.Condition{Down: true}}},
			Lists:      sim.Lists{Delay: second / 2},
		},
	}
}
