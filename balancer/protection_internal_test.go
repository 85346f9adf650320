package balancer

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The decision alone: of so many at most, so many are left and so many missed.
func TestSuspicious(t *testing.T) {
	for _, tt := range []struct {
		missed, peak, left int
		want               bool
	}{
		{0, 0, 0, false},
		{0, 10, 0, false}, // all that left did so on purpose
		{1, 1, 0, true},
		{1, 2, 1, false},
		{2, 2, 0, true},
		{2, 3, 1, false},
		{3, 4, 1, true},
		{3, 10, 7, false},
		{4, 10, 6, true},
		{30, 100, 70, false},
		{31, 100, 69, true},
		{3000, 10_000, 7000, false},
		{3001, 10_000, 6999, true},
	} {
		if got := (Protection{}).withDefaults().suspicious(tt.missed, tt.peak, tt.left); got != tt.want {
			t.Errorf("%d missed of %d, %d left: %t", tt.missed, tt.peak, tt.left, got)
		}
	}
}

// The largest within a window, against going through all that ever was.
func TestSizesKnowTheLargestWithinAWindow(t *testing.T) {
	const window = 30 * time.Second
	bits := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		var s sizes
		type said struct {
			from time.Duration
			n    int
		}
		all := []said{{-time.Hour, 0}}
		now := time.Duration(bits.IntN(100)-50) * time.Second
		for range 100 {
			now += time.Duration(bits.IntN(20)) * time.Second
			n := bits.IntN(20)
			all = append(all, said{now, n})
			want := n
			for i, a := range all[:len(all)-1] {
				if now-all[i+1].from <= window {
					want = max(want, a.n)
				}
			}
			if got := s.note(n, now, window); got != want {
				t.Fatalf("at %v the largest is %d, want %d of %v", now, got, want, all)
			}
			if len(s.past) > 21 {
				t.Fatalf("%d sizes are remembered of 20 that there can be", len(s.past))
			}
		}
	}
}
