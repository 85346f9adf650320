package load

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// run runs an open loop in a bubble.
func (l Open) run(t *testing.T) Measurement {
	t.Helper()
	l.alarm = func() (alarm, error) { return sleeper{}, nil }
	s, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return Together(s)
}

// A server answers at once but for one second of ten. A tenth of the calls arrive
// in it and wait, half a second in the middle. Four workers can only have four
// calls in it: timed from their beginning, that were 4 in 1000, and p99 a
// millisecond.
func TestOpenLoopTimesCallsFromTheirArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := Open{
			Workers: 4, Rate: 100, Duration: 10 * time.Second, Seed: 1,
			Worker: forAll(func(context.Context) error {
				if at := time.Since(begin); at > 2*time.Second && at < 3*time.Second {
					time.Sleep(3*time.Second - at)
				}
				time.Sleep(time.Millisecond)
				return nil
			}),
		}.run(t)
		if m.P99 < 700*time.Millisecond || m.P99 > 1100*time.Millisecond || m.P50 > 2*time.Millisecond {
			t.Errorf("p50 %v, p99 %v, want 1 ms and nearly a second", m.P50, m.P99)
		}
		if m.Saturated || m.Cut != 0 || m.Errors != 0 {
			t.Errorf("a server that was slow for a second: %+v", m)
		}
	})
}

func TestCallsBeginWhenTheyArriveWhileAWorkerIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var begun []time.Duration // guarded by mu
		begin := time.Now()
		m := Open{
			Workers: 64, Rate: 200, Warmup: time.Second, Duration: 4 * time.Second, Seed: 7,
			Worker: forAll(func(context.Context) error {
				mu.Lock()
				begun = append(begun, time.Since(begin))
				mu.Unlock()
				time.Sleep(50 * time.Millisecond)
				return nil
			}),
		}.run(t)
		want := newArrivals(200, time.Second, 4*time.Second, 7).after
		if slices.Sort(begun); !slices.Equal(begun, want) {
			t.Errorf("%d calls did not begin when the %d arrived", len(begun), len(want))
		}
		warm, _ := slices.BinarySearch(want, time.Second)
		if m.Arrivals != int64(len(want)-warm) || m.Late != 0 || m.P999 > 51*time.Millisecond {
			t.Errorf("measured %+v, want %d calls of 50 ms", m, len(want)-warm)
		}
	})
}

// One worker makes 100 calls a second, 200 arrive in ten: it comes to 1500 before
// the patience is over. What it leaves has waited longer than all that it made.
func TestNoCallVanishesWhenTheRateIsTooHigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Open{
			Workers: 1, Rate: 200, Duration: 10 * time.Second, Seed: 3,
			Worker: forAll(func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }),
		}
		m := l.run(t)
		want := len(newArrivals(l.Rate, 0, l.Duration, l.Seed).after)
		if m.Arrivals != int64(want) || m.Cut < int64(want)-1505 || m.Cut > int64(want)-1495 {
			t.Errorf("%d calls count and %d of them are given up, want %d and all but 1500", m.Arrivals, m.Cut, want)
		}
		if !m.Saturated || m.Rate != 200 || m.Errors != 0 {
			t.Errorf("the run does not say that it could not keep the rate: %+v", m)
		}
		if m.P50 < 4*time.Second || m.P50 > 6*time.Second {
			t.Errorf("p50 %v, want 5s, as the queue grew by a second every two", m.P50)
		}
	})
}

func TestACallWithoutAnAnswerIsGivenUpAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := Open{
			Workers: 64, Rate: 10, Duration: time.Second, Seed: 1,
			Worker: forAll(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
		}.run(t)
		if took := time.Since(begin); took != time.Second+patience {
			t.Errorf("the run took %v", took)
		}
		if m.Arrivals == 0 || m.Cut != m.Arrivals || m.Errors != 0 || m.P50 < patience {
			t.Errorf("measured %+v", m)
		}
	})
}

func TestOpenLoopCountsFailuresFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Open{Workers: 2, Rate: 50, Warmup: time.Second, Duration: time.Second, Seed: 1,
			Worker: forAll(func(context.Context) error { return errors.New("no") })}
		m := l.run(t)
		if all := len(newArrivals(l.Rate, l.Warmup, l.Duration, l.Seed).after); m.Errors != int64(all) || m.FirstError != "no" || m.Arrivals != 0 {
			t.Errorf("measured %+v, want %d errors", m, all)
		}
	})
}

// Of a Poisson process, 1/e of the gaps are longer than the mean one, and a
// thousandth more than seven times as long. A steady beat has none.
func TestArrivalsAreThoseOfAPoissonProcess(t *testing.T) {
	const rate, seconds = 100, 1000
	of := func(seed uint64) []time.Duration { return newArrivals(rate, 0, seconds*time.Second, seed).after }
	after := of(1)
	if off := math.Abs(float64(len(after) - rate*seconds)); off > 4*math.Sqrt(rate*seconds) {
		t.Errorf("%d arrivals, want %d", len(after), rate*seconds)
	}
	mean, last := time.Second/rate, time.Duration(0)
	long, longer := 0, 0
	for _, at := range after {
		if at-last > mean {
			long++
		}
		if at-last > 7*mean {
			longer++
		}
		last = at
	}
	if share := float64(long) / float64(len(after)); math.Abs(share-1/math.E) > 0.01 {
		t.Errorf("%.3f of the gaps are longer than the mean, want 0.368", share)
	}
	if longer < 50 || longer > 150 {
		t.Errorf("%d gaps are seven times as long, want about 91", longer)
	}
	if !slices.Equal(after, of(1)) || slices.Equal(after, of(2)) {
		t.Error("the seed does not say what arrives")
	}
}

func TestOpenLoopHasAnArrivalHoweverLowTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Open{
			Workers: 2, Rate: 0.5, Warmup: 10 * time.Millisecond, Duration: 10 * time.Millisecond, Seed: 1,
			Worker: forAll(func(context.Context) error { time.Sleep(time.Millisecond); return nil }),
		}.run(t)
		if m.Arrivals != 1 || m.Saturated || m.P99 > 2*time.Millisecond {
			t.Errorf("measured %+v", m)
		}
	})
}

func TestAlarmOfTheSystemDoesNotWakeEarly(t *testing.T) {
	a, err := systemAlarm()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []time.Duration{20 * time.Millisecond, 1, 300 * time.Microsecond} {
		begin := time.Now()
		if err := a.sleep(d); err != nil || time.Since(begin) < d {
			t.Errorf("slept %v of %v: %v", time.Since(begin), d, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
