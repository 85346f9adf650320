package retry_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		attempt int
		below   time.Duration
	}{
		{1, 0}, {2, 0}, // to another instance, at once
		{3, 25 * ms}, {4, 50 * ms}, {5, 100 * ms}, {6, 200 * ms},
		{7, 250 * ms}, {8, 250 * ms}, {100, 250 * ms}, {math.MaxInt, 250 * ms},
	}
	bits := rand.New(rand.NewPCG(13, 14))
	for _, tt := range tests {
		least, most, sum := time.Hour, time.Duration(0), time.Duration(0)
		const draws = 2000
		for range draws {
			d := retry.Backoff(tt.attempt, bits.Uint64())
			least, most, sum = min(least, d), max(most, d), sum+d
		}
		for _, extreme := range []uint64{0, ^uint64(0)} {
			d := retry.Backoff(tt.attempt, extreme)
			least, most = min(least, d), max(most, d)
		}
		if tt.below == 0 {
			if most != 0 {
				t.Errorf("attempt %d waits %v", tt.attempt, most)
			}
			continue
		}
		if least != 0 || most >= tt.below || most < tt.below*9/10 {
			t.Errorf("attempt %d waits %v to %v, want all of 0 to %v", tt.attempt, least, most, tt.below)
		}
		if mean := sum / draws; mean < tt.below*4/10 || mean > tt.below*6/10 {
			t.Errorf("attempt %d waits %v on the average, want half of %v", tt.attempt, mean, tt.below)
		}
	}
}
