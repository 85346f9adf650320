package report

import (
	"math"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
)

// The machine becomes slower and slower, and one run was disturbed.
func TestComparisonsAreTakenWithinARound(t *testing.T) {
	over, under := costing(1.1, 6, 10.5), costing(1, 3, 10)
	e, known := compare(over, under, load.Measurement.CPUPerCall, ratio)
	if !known || math.Abs(e.Median-1.1) > 1e-6 || math.Abs(e.Low-1.05) > 1e-6 || math.Abs(e.High-2) > 1e-6 || e.Pairs != 3 {
		t.Errorf("got %+v, want 1.1 [1.05, 2]: the ratio of the medians is 2", e)
	}
	e, known = compare(over, under, load.Measurement.CPUPerCall, difference)
	if !known || math.Abs(e.Median-500) > 1e-6 || math.Abs(e.Low-100) > 1e-6 || math.Abs(e.High-3000) > 1e-6 {
		t.Errorf("got %+v, want 500 [100, 3000]: the difference of the medians is 3000", e)
	}
}

func TestWhatIsNotKnownIsNotCompared(t *testing.T) {
	good := costing(1, 1)
	for name, runs := range map[string][]load.Measurement{
		"the system told no CPU": {{Calls: 1, Elapsed: 1}, {Calls: 1, Elapsed: 1}},
		"a run without calls":    {good[0], {Elapsed: 1, CPU: 1}},
		"a round is missing":     good[:1],
		"no runs":                nil,
	} {
		if e, known := compare(runs, good, load.Measurement.CPUPerCall, ratio); known {
			t.Errorf("%s: %+v", name, e)
		}
		if e, known := compare(good, runs, load.Measurement.CPUPerCall, ratio); known {
			t.Errorf("%s, as base: %+v", name, e)
		}
	}
}

// costing are runs in which a call costs so many milliseconds of CPU.
func costing(milliseconds ...float64) (runs []load.Measurement) {
	for _, ms := range milliseconds {
		runs = append(runs, load.Measurement{Calls: 1000, Elapsed: time.Second, CPU: time.Duration(ms * float64(time.Second))})
	}
	return runs
}
