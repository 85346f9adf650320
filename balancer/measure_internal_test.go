package balancer

import (
	"math"
	"testing"
)

// aged follows e^x from above, within 6 %, never falls, and starts at exactly
// 1, so that what is fresh is not touched.
func TestAgedFollowsTheExponential(t *testing.T) {
	if got := aged(0); got != 1 {
		t.Errorf("aged(0) is %v", got)
	}
	last := float32(1)
	const steps = 1000
	for i := int32(1); i <= 20*steps; i++ {
		e := math.Exp(float64(i) / steps)
		got := aged(int32(int64(i) * int64(ticksOfDecay) / steps))
		if got < last {
			t.Fatalf("aged falls at %d/%d of the decay", i, steps)
		}
		if ratio := float64(got) / e; ratio < 0.99 || ratio > 1.07 {
			t.Fatalf("at %d/%d of the decay aged is %v, e^x is %v", i, steps, got, e)
		}
		last = got
	}
	if most := aged(1<<31 - 1); most < last || most > 1e14 {
		t.Errorf("at the longest age aged is %v", most)
	}
}
