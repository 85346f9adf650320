package report

import (
	"math"
	"slices"
	"strconv"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
)

// Estimate is the median of one value per round, with the interval in which the
// true median lies.
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
// fall on one side. This supposes nothing of the distribution. There is at
// least one value.
func estimateOf(values []float64) Estimate {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	k, outside := 1, tail(n, 1)
	for wider := tail(n, k+1); wider <= 0.025 && k+1 <= n/2; wider = tail(n, k+1) {
		k, outside = k+1, wider
	}
	return Estimate{Median: significant(median(sorted)), Low: significant(sorted[k-1]), High: significant(sorted[n-k]), Confidence: 1 - 2*outside, Pairs: n}
}

// Confidence is that of the intervals that so many pairs give.
func Confidence(pairs int) float64 { return estimateOf(make([]float64, pairs)).Confidence }

// width is that of the interval, in parts of the median.
func (e Estimate) width() float64 {
	if e.Median == 0 {
		return 0
	}
	return (e.High - e.Low) / e.Median
}

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

// ran says that a run has figures.
func ran(m load.Measurement) bool { return m.Calls > 0 && m.Elapsed > 0 }

// valuesOf are a figure's in all runs that have it.
func valuesOf(runs []load.Measurement, figure func(load.Measurement) float64) (values []float64) {
	for _, m := range runs {
		if ran(m) {
			values = append(values, figure(m))
		}
	}
	return values
}

// medianOf is the median of a figure over runs, 0 where no run has it.
func medianOf(runs []load.Measurement, figure func(load.Measurement) float64) float64 {
	values := valuesOf(runs, figure)
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return significant(median(values))
}

// significant is a value in six digits: more would only be longer to read.
func significant(v float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64) // a number is one
	return short
}
