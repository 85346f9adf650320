package balancer

import "math"

// No factor is taken to be beyond these, so that no product with a weight is
// beyond a float32.
const (
	leastFactor = 1e-6
	mostFactor  = 1e6
)

// factors returns Factors, one for each node, in a form that can be reckoned
// with: what is missing or not a positive finite number counts as 1. nil: all
// are 1.
func (c Candidates) factors() []float32 {
	if len(c.Factors) == 0 {
		return nil
	}
	good := len(c.Factors) == len(c.Nodes)
	ones := true
	for _, f := range c.Factors {
		good = good && f >= leastFactor && f <= mostFactor
		ones = ones && f == 1
	}
	switch {
	case ones:
		return nil
	case good:
		return c.Factors
	}
	factors := make([]float32, len(c.Nodes))
	for i := range factors {
		factors[i] = 1
		if i < len(c.Factors) {
			factors[i] = factor(c.Factors[i])
		}
	}
	return factors
}

func factor(f float32) float32 {
	if f > 0 && f <= math.MaxFloat32 {
		return min(max(f, leastFactor), mostFactor)
	}
	return 1 // also for NaN
}
