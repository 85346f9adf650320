package transport

import (
	"math"
	"sync"
	"testing"
	"time"
)

// What was refused counts for a second, wherever that begins.
func TestPressed(t *testing.T) {
	for _, began := range []time.Duration{long, -time.Second / 2, 0, time.Hour} {
		var p pressed
		for n := range 100 { // one each ten milliseconds
			p.refused(began + time.Duration(n)*10*time.Millisecond)
		}
		for _, tt := range []struct {
			after time.Duration
			least float64
			most  float64
		}{
			{990 * time.Millisecond, 70, 110},
			{1490 * time.Millisecond, 0, 60},
			{3 * time.Second, 0, 0},
			{time.Hour, 0, 0},
		} {
			for range 3 { // readers do not disturb each other
				if got := p.lately(began + tt.after); got < tt.least || got > tt.most {
					t.Errorf("began at %v: %v after that %v, want %v to %v", began, tt.after, got, tt.least, tt.most)
				}
			}
		}
	}
}

func TestPressedUnderLoad(t *testing.T) {
	var p pressed
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				p.refused(time.Hour)
				p.lately(time.Hour)
			}
		})
	}
	all.Wait()
	if got := p.lately(time.Hour); math.Abs(got-4000) > 1e-6 {
		t.Errorf("%v of 4000 are counted", got)
	}
}
