package transport

import (
	"testing"
	"time"
)

// Ten lines in ten seconds; then, once, how many there were none left for.
func TestRation(t *testing.T) {
	for _, began := range []time.Duration{-time.Hour, 0, time.Hour} {
		var r ration
		lines := func(at time.Duration, wanted int) (got int) {
			for range wanted {
				if r.allow(began + at) {
					got++
				}
			}
			return got
		}
		for _, step := range []struct {
			name         string
			at           time.Duration
			wanted, told int
			rest         int // said before
		}{
			{"a few are told", 0, 3, 3, 0},
			{"up to ten", 9 * time.Second, 20, 7, 0},
			{"and none while the time is not up", 9999 * time.Millisecond, 5, 0, 0},
			{"then the rest is summed up, and there are ten again", 10 * time.Second, 11, 10, 18},
			{"that rest, too", 30 * time.Second, 1, 1, 1},
			{"and where there is none, nothing is said", time.Minute, 0, 0, 0},
			{"long after", time.Hour, 10, 10, 0},
		} {
			if got := r.rest(began + step.at); got != step.rest {
				t.Errorf("%s: the rest is %d, want %d", step.name, got, step.rest)
			}
			if got := lines(step.at, step.wanted); got != step.told {
				t.Errorf("%s: %d of %d are told, want %d", step.name, got, step.wanted, step.told)
			}
		}
	}
}
