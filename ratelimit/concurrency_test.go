package ratelimit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

func newConcurrency(t testing.TB, c ratelimit.ConcurrencyConfig) *ratelimit.Concurrency {
	t.Helper()
	l, err := ratelimit.NewConcurrency(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fill takes places until none is left, and returns how many there were.
func fill(l *ratelimit.Concurrency, p ratelimit.Priority) (n int) {
	for l.TryAcquire(p) {
		n++
	}
	return n
}

func TestWhoUsesNoPrioritiesHasTheWholeLimit(t *testing.T) {
	for _, p := range []ratelimit.Priority{ratelimit.Sheddable, ratelimit.Default, ratelimit.Critical} {
		for _, limit := range []int{1, 2, 4, 5, 100} {
			l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: limit})
			if got := fill(l, p); got != limit || l.InFlight() != limit {
				t.Errorf("%v: %d of %d, %d in flight", p, got, limit, l.InFlight())
			}
			l.Release(p)
			if !l.TryAcquire(p) || l.TryAcquire(p) {
				t.Errorf("%v: what is given back is not one place", p)
			}
		}
	}
}

func TestTheLessImportantLeavePlaces(t *testing.T) {
	for _, c := range []struct {
		limit   int
		seen, p ratelimit.Priority
		room    int
		name    string
	}{
		{limit: 10, seen: ratelimit.Critical, p: ratelimit.Default, room: 6, name: "default calls leave a third to critical ones"},
		{limit: 10, seen: ratelimit.Critical, p: ratelimit.Sheddable, room: 5, name: "sheddable calls leave half to critical ones"},
		{limit: 10, seen: ratelimit.Default, p: ratelimit.Sheddable, room: 5, name: "and to default ones"},
		{limit: 10, seen: ratelimit.Sheddable, p: ratelimit.Default, room: 10, name: "nobody leaves anything to the less important"},
		{limit: 1, seen: ratelimit.Critical, p: ratelimit.Sheddable, room: 1, name: "one place cannot be divided"},
		{limit: 2, seen: ratelimit.Critical, p: ratelimit.Default, room: 1, name: "of two one is left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: c.limit})
			for _, first := range []ratelimit.Priority{c.p, c.seen} { // that the limit knows of both
				l.TryAcquire(first)
				l.Release(first)
			}
			if got := fill(l, c.p); got != c.room {
				t.Errorf("%d places, want %d of %d", got, c.room, c.limit)
			}
			if got := fill(l, max(c.seen, c.p)); c.room+got != c.limit {
				t.Errorf("%d are left", got)
			}
		})
	}
}

func TestPlacesAreLeftOnlyWhileTheImportantCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: 10})
		l.TryAcquire(ratelimit.Critical)
		l.Release(ratelimit.Critical)
		time.Sleep(9 * time.Second)
		if got := fill(l, ratelimit.Default); got != 6 {
			t.Errorf("%d places after 9 s", got)
		}
		time.Sleep(2 * time.Second)
		if got := fill(l, ratelimit.Default); got != 4 {
			t.Errorf("%d more places after 11 s", got)
		}
	})
}

func TestAPlaceGoesToTheMostImportantWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: 3, MaxWait: time.Minute})
		fill(l, ratelimit.Default)
		var mu sync.Mutex
		var order []string
		wait := func(name string, p ratelimit.Priority) {
			go func() {
				err := l.Acquire(t.Context(), p)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					name += " " + err.Error()
				}
				order = append(order, name)
			}()
			synctest.Wait()
		}
		wait("s1", ratelimit.Sheddable)
		wait("d1", ratelimit.Default)
		wait("s2", ratelimit.Sheddable)
		wait("d2", ratelimit.Default) // takes the room of the last sheddable call
		wait("s3", ratelimit.Sheddable)
		wait("c1", ratelimit.Critical)
		wait("d3", ratelimit.Default) // there is none that is less important
		if l.Waiting() != 3 {
			t.Errorf("%d wait", l.Waiting())
		}
		for range 3 {
			l.Release(ratelimit.Default)
			synctest.Wait()
		}
		got, want := strings.Join(order, ", "), "s2 refused, s3 refused, s1 refused, d3 refused, c1, d1, d2"
		if want = strings.ReplaceAll(want, "refused", ratelimit.ErrConcurrency.Error()); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		if l.Waiting() != 0 || l.InFlight() != 3 {
			t.Errorf("%d wait, %d in flight", l.Waiting(), l.InFlight())
		}
	})
}

func TestWaitsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: 1, MaxWait: time.Second})
		fill(l, ratelimit.Default)
		begun := time.Now()
		if err := l.Acquire(t.Context(), ratelimit.Default); !errors.Is(err, ratelimit.ErrConcurrency) || time.Since(begun) != time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begun = time.Now()
		if err := l.Acquire(ctx, ratelimit.Default); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 300*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if err := l.Acquire(ctx, ratelimit.Critical); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that is over: %v", err)
		}
		if l.Waiting() != 0 || l.InFlight() != 1 {
			t.Errorf("%d wait, %d in flight", l.Waiting(), l.InFlight())
		}
	})
}

func TestAChangedLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: 4, MaxWait: time.Minute})
		fill(l, ratelimit.Default)
		var got atomic.Int64
		for range 3 {
			go func() {
				if l.Acquire(t.Context(), ratelimit.Default) == nil {
					got.Add(1)
				}
			}()
		}
		synctest.Wait()
		if err := l.Set(ratelimit.ConcurrencyConfig{Max: 6, MaxWait: time.Minute}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got.Load() != 2 || l.InFlight() != 6 || l.Waiting() != 1 {
			t.Errorf("grown: %d of those that waited go on, %d in flight, %d wait", got.Load(), l.InFlight(), l.Waiting())
		}
		if err := l.Set(ratelimit.ConcurrencyConfig{Max: 2, MaxWait: time.Minute}); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			l.Release(ratelimit.Default)
		}
		synctest.Wait()
		if got.Load() != 2 || l.InFlight() != 2 {
			t.Errorf("shrunk: %d go on, %d in flight", got.Load(), l.InFlight())
		}
		l.Release(ratelimit.Default)
		synctest.Wait()
		if got.Load() != 3 || l.InFlight() != 2 {
			t.Errorf("drained: %d go on, %d in flight", got.Load(), l.InFlight())
		}
		if err := l.Set(ratelimit.ConcurrencyConfig{}); err == nil || l.Limit() != 2 {
			t.Errorf("a limit of nothing: %v, %d", err, l.Limit())
		}
	})
}

// Whatever goes on, no place is lost, none is given twice, and nobody waits while one
// is free.
func TestNoPlaceIsLost(t *testing.T) {
	const most, callers, rounds = 3, 16, 2000
	l := newConcurrency(t, ratelimit.ConcurrencyConfig{Max: most, MaxWait: time.Minute})
	var inside, peak, served atomic.Int64
	var all sync.WaitGroup
	for seed := range uint64(callers) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				if random.IntN(4) == 0 {
					go cancel() // at any moment
				}
				p := ratelimit.Sheddable + ratelimit.Priority(random.IntN(3))
				if l.Acquire(ctx, p) == nil {
					if n := inside.Add(1); n > most {
						peak.Store(n)
					}
					served.Add(1)
					inside.Add(-1)
					l.Release(p)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if peak.Load() != 0 || l.InFlight() != 0 || l.Waiting() != 0 || served.Load() == 0 {
		t.Errorf("%d at once, %d in flight and %d waiting after all; %d served", peak.Load(), l.InFlight(), l.Waiting(), served.Load())
	}
}

func TestConcurrencyConfigIsValidated(t *testing.T) {
	for field, c := range map[string]ratelimit.ConcurrencyConfig{
		"ConcurrencyConfig.Max is 0:":                 {},
		"ConcurrencyConfig.Max is -1:":                {Max: -1},
		"ConcurrencyConfig.Max is 5: allowed is 0":    {Max: 5, Adaptive: &ratelimit.AdaptiveConfig{}},
		"ConcurrencyConfig.MaxWait is -1ns:":          {Max: 5, MaxWait: -1},
		"ConcurrencyConfig.MaxWait is 2m0s:":          {Max: 5, MaxWait: 2 * time.Minute},
		"AdaptiveConfig.Min is -1:":                   {Adaptive: &ratelimit.AdaptiveConfig{Min: -1}},
		"AdaptiveConfig.Max is 3: allowed is no less": {Adaptive: &ratelimit.AdaptiveConfig{Min: 4, Max: 3}},
		"AdaptiveConfig.Initial is 9: allowed is 4":   {Adaptive: &ratelimit.AdaptiveConfig{Max: 8, Initial: 9}},
	} {
		if _, err := ratelimit.NewConcurrency(c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s %v", field, err)
		}
	}
}

func TestConcurrencyCostsNoAllocation(t *testing.T) {
	for name, c := range map[string]ratelimit.ConcurrencyConfig{"fixed": {Max: 10}, "learned": {Adaptive: &ratelimit.AdaptiveConfig{}, MaxWait: time.Second}} {
		l, now := newConcurrency(t, c), time.Duration(0)
		if n := testing.AllocsPerRun(10_000, func() {
			now += time.Millisecond
			if l.Acquire(t.Context(), ratelimit.Default) == nil {
				l.Done(ratelimit.Default, now, time.Millisecond, false)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
