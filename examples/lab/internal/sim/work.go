package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// Work is how long a call takes at an instance that does nothing else and is not
// slow. The zero value is exponential with a mean of 10 ms.
type Work struct {
	Mean  time.Duration // 0 means 10 ms
	Shape Shape
	// Sigma is that of Lognormal; 0 means 1, at which one call in a hundred takes
	// six times the mean.
	Sigma float64
	// Bimodal calls are of two kinds: Share of them take Times as long as the
	// others. 0 means a tenth and ten times.
	Share, Times float64
	// Recorded is drawn from where it is not empty, and says the mean.
	Recorded []time.Duration
}

// Shape is a distribution.
type Shape uint8

// The distributions of work.
const (
	Exponential Shape = iota
	Constant
	Lognormal
	Bimodal
)

func (w Work) withDefaults() Work {
	w.Mean = cmp.Or(w.Mean, 10*time.Millisecond)
	w.Sigma, w.Share, w.Times = cmp.Or(w.Sigma, 1), cmp.Or(w.Share, 0.1), cmp.Or(w.Times, 10)
	if len(w.Recorded) > 0 {
		sum := 0.0
		for _, d := range w.Recorded {
			sum += float64(d)
		}
		w.Mean = max(1, time.Duration(sum/float64(len(w.Recorded))))
	}
	return w
}

// draw returns the work of one call, in nanoseconds.
func (w *Work) draw(bits *rand.Rand) float64 {
	mean := float64(w.Mean)
	switch {
	case len(w.Recorded) > 0:
		return float64(w.Recorded[bits.IntN(len(w.Recorded))])
	case w.Shape == Constant:
		return mean
	case w.Shape == Lognormal:
		return mean * math.Exp(w.Sigma*bits.NormFloat64()-w.Sigma*w.Sigma/2)
	case w.Shape == Bimodal:
		short := mean / (1 + w.Share*(w.Times-1))
		if bits.Float64() < w.Share {
			return short * w.Times
		}
		return short
	}
	return mean * bits.ExpFloat64()
}
