package report

import (
	"math"
	"slices"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// Ratio is a variant's figure over the base's.
type Ratio struct {
	Variant string `json:"variant"`
	Base    string `json:"base"`
	scenario.Scenario
	Metric string `json:"metric"` // a field of row, or client_cpu_us_per_req
	Estimate
}

// Estimate is the median of one ratio per round, with the interval in which
// the true median lies.
type Estimate struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Confidence is that of the interval: at least 0.95, save for fewer than 6
	// rounds, where even the extremes do not give as much.
	Confidence float64 `json:"confidence"`
	Pairs      int     `json:"pairs"`
}

// estimateOf takes the interval from the order statistics: the k-th smallest
// and the k-th largest enclose the median unless fewer than k of n fair coins
// fall on one side. This supposes nothing of the distribution.
func estimateOf(ratios []float64) Estimate {
	sorted := slices.Sorted(slices.Values(ratios))
	n := len(sorted)
	k, outside := 1, tail(n, 1)
	for wider := tail(n, k+1); wider <= 0.025 && k+1 <= n/2; wider = tail(n, k+1) {
		k, outside = k+1, wider
	}
	return Estimate{Median: median(sorted), Low: sorted[k-1], High: sorted[n-k], Confidence: 1 - 2*outside, Pairs: n}
}

// Confidence is that of the intervals that so many pairs give.
func Confidence(pairs int) float64 { return estimateOf(make([]float64, pairs)).Confidence }

// tail is the chance that fewer than k of n fair coins show heads.
func tail(n, k int) float64 {
	sum, ways := 0.0, 1.0
	for i := range k {
		sum += ways
		ways = ways * float64(n-i) / float64(i+1)
	}
	return sum * math.Pow(0.5, float64(n))
}

// median of a sorted list that is not empty.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// medianOf is the median of a figure over runs.
func medianOf(runs []load.Measurement, figure func(load.Measurement) float64) float64 {
	values := make([]float64, len(runs))
	for i, m := range runs {
		values[i] = figure(m)
	}
	slices.Sort(values)
	return median(values)
}

// compare takes one ratio per round. It reports false where the figure is not
// known.
func compare(runs, base []load.Measurement, figure func(load.Measurement) float64) (Estimate, bool) {
	ratios := make([]float64, len(runs))
	for round := range runs {
		over, under := figure(runs[round]), figure(base[round])
		if over <= 0 || under <= 0 {
			return Estimate{}, false
		}
		ratios[round] = over / under
	}
	return estimateOf(ratios), true
}
