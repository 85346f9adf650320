package report

import (
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// Comparison is of a variant's figure with that of another, the base: their
// ratio or their difference.
type Comparison struct {
	Variant string `json:"variant"`
	Base    string `json:"base"`
	scenario.Scenario
	Metric string `json:"metric"` // a field of a row, or client_cpu_us_per_req
	Estimate
}

func ratio(over, under float64) float64 { return over / under }

func difference(more, less float64) float64 { return more - less }

// compare takes one value per round, so that what disturbs the machine for longer
// disturbs both sides of it. It reports false where the figure is not known.
func compare(runs, base []load.Measurement, figure func(load.Measurement) float64, by func(a, b float64) float64) (Estimate, bool) {
	if len(runs) == 0 || len(runs) != len(base) {
		return Estimate{}, false
	}
	values := make([]float64, len(runs))
	for round := range runs {
		a, b := figure(runs[round]), figure(base[round])
		if !ran(runs[round]) || !ran(base[round]) || a <= 0 || b <= 0 {
			return Estimate{}, false
		}
		values[round] = by(a, b)
	}
	return estimateOf(values), true
}
