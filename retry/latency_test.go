package retry_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// naive keeps every latency with its time, and sorts.
type naive []sample

type sample struct{ at, d time.Duration }

// quantile is of what was recorded since a window began.
func (n naive) quantile(from, to time.Duration, p float64) (d time.Duration, count int) {
	var all []time.Duration
	for _, s := range n {
		if s.at >= from && s.at <= to {
			all = append(all, s.d)
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[max(0, int(math.Ceil(p*float64(len(all))))-1)], len(all)
}

func TestLatenciesAgainstSortedWindows(t *testing.T) {
	distributions := map[string]func(*rand.Rand) float64{ // nanoseconds
		"one value":   func(*rand.Rand) float64 { return 7e6 },
		"even":        func(r *rand.Rand) float64 { return r.Float64() * 1e8 },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() * 1e7 },
		"lognormal":   func(r *rand.Rand) float64 { return 5e6 * math.Exp(r.NormFloat64()) },
		"bimodal":     func(r *rand.Rand) float64 { return []float64{1e6, 2e8}[r.IntN(10)/9] * (1 + r.Float64()) },
		"all of it":   func(r *rand.Rand) float64 { return 5e4 * math.Pow(1.2e6, r.Float64()) },
	}
	for name, draw := range distributions {
		for _, p := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
			r := rand.New(rand.NewPCG(3, 4))
			var l retry.Latencies
			var n naive
			now := -25 * time.Second
			known := 0
			for range 300 {
				now += time.Duration(r.ExpFloat64() * 4e8)
				if r.IntN(100) == 0 {
					now += 40 * time.Second // nobody calls for a while
				}
				for range r.IntN(30) {
					d := time.Duration(draw(r))
					l.Record(now, d)
					n = append(n, sample{now, d})
				}
				// The next whole second is one for which nobody has reckoned yet.
				now += time.Second - (now+100*time.Hour)%time.Second
				window := now + 100*time.Hour
				window -= window%(10*time.Second) + 100*time.Hour
				want, count := n.quantile(window-20*time.Second, now, p)
				got, ok := l.Quantile(now, p)
				if ok != (count >= 20) {
					t.Fatalf("%s, p%v: known is %t with %d samples", name, p*100, ok, count)
				}
				if !ok {
					continue
				}
				known++
				want = max(want, 50*time.Microsecond)
				if got < want-time.Microsecond || float64(got) > float64(want)*1.05 {
					t.Fatalf("%s, p%v of %d: %v, and truly %v: %+.1f %%", name, p*100, count, got, want, 100*(float64(got)/float64(want)-1))
				}
			}
			if known < 100 {
				t.Errorf("%s, p%v: known only %d times", name, p*100, known)
			}
		}
	}
}

func TestLatencies(t *testing.T) {
	const s = time.Second
	record := func(l *retry.Latencies, n int, at, d time.Duration) {
		for range n {
			l.Record(at, d)
		}
	}
	tests := []struct {
		name string
		do   func(l *retry.Latencies)
		at   time.Duration
		want time.Duration // at least, and at most 5 % more; 0: unknown
	}{
		{"nothing is known of nothing", func(*retry.Latencies) {}, 0, 0},
		{"nor of nineteen", func(l *retry.Latencies) { record(l, 19, 0, ms) }, 0, 0},
		{"twenty are enough", func(l *retry.Latencies) { record(l, 20, 0, ms) }, 0, ms},
		{"they count for twenty seconds", func(l *retry.Latencies) { record(l, 20, 9*s, ms) }, 29 * s, ms},
		{"and no longer than thirty", func(l *retry.Latencies) { record(l, 20, 0, ms) }, 30 * s, 0},
		{"the shortest", func(l *retry.Latencies) { record(l, 20, 0, 1) }, 0, 50 * time.Microsecond},
		{"no time at all", func(l *retry.Latencies) { record(l, 20, 0, 0) }, 0, 50 * time.Microsecond},
		{"less than that", func(l *retry.Latencies) { record(l, 20, 0, -time.Hour) }, 0, 50 * time.Microsecond},
		{"the longest", func(l *retry.Latencies) { record(l, 20, 0, time.Minute) }, 0, time.Minute},
		{"longer than that", func(l *retry.Latencies) { record(l, 20, 0, math.MaxInt64) }, 0, time.Minute},
		{"a second old, it is still said", func(l *retry.Latencies) {
			record(l, 20, 0, ms)
			l.Quantile(0, 0.95)
			record(l, 1000, s-1, 10*ms)
		}, s - 1, ms},
		{"older, it is reckoned anew", func(l *retry.Latencies) {
			record(l, 20, 0, ms)
			l.Quantile(0, 0.95)
			record(l, 1000, s-1, 10*ms)
		}, s, 10 * ms},
		{"what was said before a long silence is forgotten", func(l *retry.Latencies) {
			record(l, 20, 0, ms)
			l.Quantile(0, 0.95)
		}, time.Hour, 0},
		{"an older reading of the clock changes nothing", func(l *retry.Latencies) {
			record(l, 20, 10*s, ms)
			l.Quantile(10*s, 0.95)
			l.Quantile(10*s-1, 0.95)
		}, 10 * s, ms},
		{"who is late for a window that is used again is left out", func(l *retry.Latencies) {
			record(l, 20, 35*s, ms)
			record(l, 1000, 5*s, s)
		}, 35 * s, ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l retry.Latencies
			tt.do(&l)
			got, ok := l.Quantile(tt.at, 0.95)
			if ok != (tt.want != 0) || got < tt.want || float64(got) > 1.05*float64(tt.want) {
				t.Errorf("got %v, %t; want %v", got, ok, tt.want)
			}
		})
	}
}

// Nothing is lost or counted twice, whoever else records and asks; what comes while
// a window is being cleared may be.
func TestLatenciesUnderConcurrency(t *testing.T) {
	var l retry.Latencies
	for window := range time.Duration(6) {
		from := window * 10 * time.Second
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for i := range time.Duration(1000) {
					now := from + i*9*ms
					l.Record(now, time.Duration(i%100+1)*ms)
					l.Quantile(now, 0.95)
				}
			})
		}
		all.Wait()
		got, ok := l.Quantile(from+9*time.Second+999*ms, 0.95)
		if !ok || got < 95*ms*98/100 || got > 95*ms*107/100 {
			t.Errorf("after %v: %v, %t; want 95 ms", from, got, ok)
		}
	}
}

func TestLatenciesAllocateNothing(t *testing.T) {
	var l retry.Latencies
	now := time.Duration(0)
	if got := testing.AllocsPerRun(1000, func() {
		now += 100 * ms
		l.Record(now, 3*ms)
		l.Quantile(now, 0.95)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
