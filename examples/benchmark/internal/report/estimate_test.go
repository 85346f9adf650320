package report

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestEstimateTakesTheNarrowestIntervalThatIsSureEnough(t *testing.T) {
	for _, c := range []struct {
		name       string
		n          int
		low, high  float64 // of the ratios 1, 2, … n
		confidence float64
	}{
		{"one pair says nothing", 1, 1, 1, 0},
		{"five pairs: the extremes, with less than 95 %", 5, 1, 5, 1 - 2.0/32},
		{"six pairs: the extremes", 6, 1, 6, 1 - 2.0/64},
		{"ten pairs: all but one on either side", 10, 2, 9, 1 - 2*11.0/1024},
		{"twenty pairs: all but five on either side", 20, 6, 15, 1 - 2*21700.0/(1<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			ratios := make([]float64, c.n)
			for i := range ratios {
				ratios[i] = float64(i + 1)
			}
			rand.Shuffle(c.n, func(i, j int) { ratios[i], ratios[j] = ratios[j], ratios[i] })
			got := estimateOf(ratios)
			if got.Low != c.low || got.High != c.high || got.Median != float64(c.n+1)/2 || got.Pairs != c.n {
				t.Errorf("got %+v", got)
			}
			if math.Abs(got.Confidence-c.confidence) > 1e-9 {
				t.Errorf("confidence %v, want %v", got.Confidence, c.confidence)
			}
		})
	}
}

// The promise of the interval: of many, at least 95 % hold the true median,
// also where the noise is skewed as that of a busy machine is.
func TestIntervalHoldsTheTrueMedianAsOftenAsItSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const trials = 20_000
	held := 0
	for range trials {
		ratios := make([]float64, 10)
		for i := range ratios {
			ratios[i] = 1 + random.ExpFloat64()
		}
		if e := estimateOf(ratios); e.Low <= 1+math.Ln2 && 1+math.Ln2 <= e.High {
			held++
		}
	}
	if share := float64(held) / trials; share < 0.95 {
		t.Errorf("%.3f of the intervals hold the median", share)
	}
}
