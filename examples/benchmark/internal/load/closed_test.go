package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// In a bubble a call takes exactly as long as it sleeps: 10 calls a worker fit
// into a second, and those of the warm-up do not count.
func TestClosedLoopCountsTheCallsOfTheMeasuredTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most, calls atomic.Int64
		s, err := Closed{
			Concurrency: 3, Warmup: 550 * time.Millisecond, Duration: time.Second,
			Worker: forAll(func(context.Context) error {
				most.Store(max(most.Load(), inFlight.Add(1)))
				defer inFlight.Add(-1)
				calls.Add(1)
				time.Sleep(100 * time.Millisecond)
				return nil
			}),
		}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := Together(s)
		if m.Calls != 30 || m.Elapsed != time.Second || m.Errors != 0 {
			t.Errorf("measured %d calls and %d errors in %v, want 30 and 0 in 1s", m.Calls, m.Errors, m.Elapsed)
		}
		if most.Load() != 3 || inFlight.Load() != 0 {
			t.Errorf("%d calls in flight at most, %d at the end, want 3 and 0", most.Load(), inFlight.Load())
		}
		if d := m.P50 - 100*time.Millisecond; d < -time.Millisecond || d > time.Millisecond || m.P999 < m.P50 {
			t.Errorf("p50 %v, p99.9 %v, want 100ms", m.P50, m.P999)
		}
	})
}

func TestClosedLoopCountsEveryFailureAndNoFailureAsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		m, err := Closed{
			Concurrency: 1, Duration: time.Second,
			Worker: forAll(func(context.Context) error {
				time.Sleep(99 * time.Millisecond)
				if n.Add(1)%2 == 0 {
					return errors.New("no")
				}
				return nil
			}),
		}.Run(t.Context())
		if err != nil || m.Calls != 5 || m.Errors != 5 || m.FirstError != "no" {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}

func forAll(call func(context.Context) error) func() func(context.Context) error {
	return func() func(context.Context) error { return call }
}

func TestClosedLoopGoesOnUntilACallHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Closed{
			Concurrency: 2, Duration: 10 * time.Millisecond,
			Worker: forAll(func(context.Context) error { time.Sleep(3 * time.Second); return nil }),
		}.Run(t.Context())
		if err != nil || s.Calls < 1 || s.Elapsed != 3*time.Second {
			t.Errorf("%d calls of three seconds in %v: %v", s.Calls, s.Elapsed, err)
		}
		begun := time.Now()
		s, err = Closed{
			Concurrency: 2, Duration: 10 * time.Millisecond,
			Worker: forAll(func(context.Context) error { time.Sleep(time.Minute); return nil }),
		}.Run(t.Context())
		if err != nil || s.Calls != 0 || s.Elapsed != 10*time.Millisecond+patience || time.Since(begun) != time.Minute {
			t.Errorf("%d calls of a minute in %v: %v", s.Calls, s.Elapsed, err)
		}
	})
}
