package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// manyClients is a fleet that no test machine holds: each client knows a tenth of
// the instances, and makes a few calls a second to each.
func manyClients() Scenario {
	return Scenario{
		Name:  "many-clients",
		About: "a thousand clients and a thousand instances, of which each client calls a hundred",
		Plan: sim.Plan{
			Length:  20 * second,
			Warmup:  5 * second,
			Clients: 1000,
			Work:    sim.Work{Mean: 50 * ms},
			Traffic: sim.Traffic{Load: 0.7},
			Fleet:   []sim.Class{{Name: "orders", Count: 1000, Workers: 2}},
		},
		// They need all instances in each client, and a table of them in each.
		Without: []string{"ring-hash", "maglev"},
	}
}
