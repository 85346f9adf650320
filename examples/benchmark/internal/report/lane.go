package report

import (
	"slices"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
)

// Again is the name of the lane of a base against itself.
const Again = "A/A"

// Lane is one row of a scenario: a variant with its runs, one per round.
type Lane struct {
	Name    string
	Variant string // of which it is a run; the base in the lane [Again]
	// Base is the lane that this one is compared with: like has to stand against
	// like, four clients against four. "" is the first lane of the scenario, its own
	// name none.
	Base string
	Runs []load.Measurement
}

// baseOf is the lane that a lane is compared with, nil where its base is unknown.
func baseOf(l *Lane, lanes []*Lane) *Lane {
	if l.Base == "" {
		return lanes[0]
	}
	i := slices.IndexFunc(lanes, func(other *Lane) bool { return other.Name == l.Base })
	if i < 0 {
		return nil
	}
	return lanes[i]
}
