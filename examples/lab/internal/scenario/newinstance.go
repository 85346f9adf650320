package scenario

import "github.com/fairlead-go/fairlead/examples/lab/internal/sim"

// newInstance asks whether one that has just come, and has cold caches, is
// drowned by clients of which none has seen it slow.
func newInstance() Scenario {
	return Scenario{
		Name:  "new-instance",
		About: "an eleventh instance comes, and is five times slower for five seconds",
		Plan: sim.Plan{
			Length:  60 * second,
			Warmup:  20 * second,
			Clients: 20,
			Traffic: sim.Traffic{Load: 0.7},
			Fleet: []sim.Class{servers("old", 10), {
				Name: "new", Count: 1, Workers: 4, From: 20 * second, Condition: sim.Condition{Slow: 5}, Bad: true,
			}},
			Changes: []sim.Change{{At: 25 * second, Class: "new"}},
			Lists:   sim.Lists{Delay: second / 2},
		},
	}
}
