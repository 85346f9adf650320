package etcd

import (
	"testing"
	"time"
)

func TestBackoffGrowsToItsCeilingAndIsSpread(t *testing.T) {
	const first, ceiling = 250 * time.Millisecond, 4 * time.Second
	different := map[time.Duration]bool{}
	for range 100 {
		b := newBackoff(first, ceiling)
		for n := range 20 {
			d := b.NextBackOff()
			if d < first*3/4 || d > ceiling+1 {
				t.Fatalf("pause %d is %s, want %s to %s", n, d, first*3/4, ceiling)
			}
			if n == 0 && d > first*5/4+1 {
				t.Errorf("the first pause is %s, want about %s", d, first)
			}
			if n > 10 && d < ceiling/2 {
				t.Errorf("pause %d is %s, want near %s", n, d, ceiling)
			}
			different[d] = true
		}
		b.Reset()
		if d := b.NextBackOff(); d > first*5/4+1 {
			t.Errorf("the first pause after Reset is %s", d)
		}
	}
	if len(different) < 1000 {
		t.Errorf("%d different pauses in 2000: they are not spread", len(different))
	}
}

// The monotonic clock stands still while the machine is suspended, the wall
// clock may be set: the longer age counts.
func TestAgeIsTheLongerOfTwoClocks(t *testing.T) {
	now := time.Now()
	if got := age(now.Add(-time.Minute), now); got != time.Minute {
		t.Errorf("age %s, want 1 min", got)
	}
	if got := age(now, now.Round(0).Add(time.Hour)); got != time.Hour { // no monotonic reading: as after a suspend
		t.Errorf("age %s, want 1 h", got)
	}
}
