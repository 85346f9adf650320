package report

import "github.com/fairlead-go/fairlead/examples/benchmark/internal/load"

// Again is the name of the lane of a base against itself.
const Again = "A/A"

// Lane is one row of a scenario: a variant with its runs, one per round.
type Lane struct {
	Name    string
	Variant string // of which it is a run; the base in the lane [Again]
	Runs    []load.Measurement
}
