package ratelimit_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// worked is a server of some workers in front of which a limit stands. What is let
// in beyond the workers waits for one, in turn.
type worked struct {
	limit   *ratelimit.Adaptive
	workers []time.Duration // when each is free
	service func(*rand.Rand) float64
	mean    time.Duration
	random  *rand.Rand
	now     time.Duration
	inside  ends
	took    []time.Duration // of those that ended in the last run
}

type ends []ended

type ended struct{ at, begun time.Duration }

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at < e[j].at }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(ended)) }
func (e *ends) Pop() any          { last := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return last }

func exponential(r *rand.Rand) float64 { return r.ExpFloat64() }
func constant(*rand.Rand) float64      { return 1 }

// bimodal is of nine short calls and a long one.
func bimodal(r *rand.Rand) float64 {
	if r.IntN(10) == 0 {
		return 5.5
	}
	return 0.5
}

func lognormal(r *rand.Rand) float64 { return math.Exp(r.NormFloat64() - 0.5) }

func newWorked(t *testing.T, workers int, service func(*rand.Rand) float64, c ratelimit.AdaptiveConfig) *worked {
	c.Alone = true
	limit, err := ratelimit.NewAdaptive(c)
	if err != nil {
		t.Fatal(err)
	}
	return &worked{now: -time.Minute, limit: limit, workers: slices.Repeat([]time.Duration{-time.Minute}, workers), service: service, mean: 20 * time.Millisecond, random: rand.New(rand.NewPCG(3, 4))}
}

// run has calls come at load times what the workers can do, and returns what they did
// as a share of that, and the latency that all but a hundredth had.
func (w *worked) run(load float64, for_ time.Duration) (goodput float64, p99 time.Duration) {
	capacity := float64(len(w.workers)) / w.mean.Seconds()
	until := w.now + for_
	w.took = w.took[:0]
	for {
		next := w.now + time.Duration(w.random.ExpFloat64()/(load*capacity)*float64(time.Second))
		for len(w.inside) > 0 && w.inside[0].at <= min(next, until) {
			e := heap.Pop(&w.inside).(ended)
			w.limit.Done(e.at, e.at-e.begun, len(w.inside)+1, false)
			w.took = append(w.took, e.at-e.begun)
		}
		if w.now = next; w.now >= until {
			break
		}
		if len(w.inside) >= w.limit.Limit() {
			continue
		}
		free := 0
		for i := range w.workers {
			if w.workers[i] < w.workers[free] {
				free = i
			}
		}
		w.workers[free] = max(w.workers[free], w.now) + time.Duration(w.service(w.random)*float64(w.mean))
		heap.Push(&w.inside, ended{w.workers[free], w.now})
	}
	if len(w.took) == 0 {
		return 0, 0
	}
	slices.Sort(w.took)
	return float64(len(w.took)) / for_.Seconds() / capacity, w.took[len(w.took)*99/100]
}

// What is worked on stays near what the server can do, and what is let in is not much
// slower than without load.
func TestALearnedLimitKeepsAServerBusyAndFast(t *testing.T) {
	for _, c := range []struct {
		name    string
		workers int
		service func(*rand.Rand) float64
		slowest float64 // p99 of accepted calls, in mean service times
	}{
		{"one worker", 1, exponential, 25}, // four calls are the least limit
		{"four workers", 4, exponential, 12},
		{"sixteen workers", 16, exponential, 9},
		{"sixty-four workers", 64, exponential, 8},
		{"sixteen, constant", 16, constant, 5},
		{"sixteen, bimodal", 16, bimodal, 12},
		{"sixteen, lognormal", 16, lognormal, 12},
	} {
		for _, load := range []float64{1.2, 2, 10} {
			w := newWorked(t, c.workers, c.service, ratelimit.AdaptiveConfig{})
			w.run(0.5, 30*time.Second)
			w.run(load, 10*time.Second)
			goodput, p99 := w.run(load, time.Minute)
			t.Logf("%s, load %v: goodput %.3f, p99 %.1f service times, limit %d", c.name, load, goodput, p99.Seconds()/w.mean.Seconds(), w.limit.Limit())
			if goodput < 0.93 || p99.Seconds() > c.slowest*w.mean.Seconds() {
				t.Errorf("%s, load %v: goodput %.3f, p99 %v, limit %d", c.name, load, goodput, p99, w.limit.Limit())
			}
		}
	}
}

// Netflix/concurrency-limits#134: a limit that follows a long average grows without
// end under a mild overload.
func TestALearnedLimitDoesNotDrift(t *testing.T) {
	w := newWorked(t, 4, exponential, ratelimit.AdaptiveConfig{})
	w.run(1.2, time.Minute)
	_, first := w.run(1.2, time.Minute)
	w.run(1.2, 8*time.Minute)
	goodput, last := w.run(1.2, time.Minute)
	t.Logf("p99 %v, after ten minutes %v, limit %d", first, last, w.limit.Limit())
	if last > 3*first || goodput < 0.93 {
		t.Errorf("p99 %v at first, %v after ten minutes, goodput %.2f", first, last, goodput)
	}
}

// concurrency-limits#35: what can do much more than the limit begins with is found out soon.
func TestALearnedLimitGrowsFast(t *testing.T) {
	w := newWorked(t, 200, exponential, ratelimit.AdaptiveConfig{})
	w.run(0.9, 20*time.Second)
	if goodput, _ := w.run(0.9, 5*time.Second); goodput < 0.88 {
		t.Errorf("20 s after the start %.2f of 0.9 is done, limit %d", goodput, w.limit.Limit())
	}
}

// A client has few calls with each instance. They are not to be held back by where
// its limit begins, nor by what it tries out.
func TestALearnedLimitDoesNotHoldBackFewCalls(t *testing.T) {
	w := newWorked(t, 10, exponential, ratelimit.AdaptiveConfig{}.AtClient())
	w.mean = 100 * time.Millisecond
	w.run(0.25, 2*time.Second)
	if goodput, _ := w.run(0.25, time.Minute); goodput < 0.245*0.95 {
		t.Errorf("%.3f of the capacity is used by calls that need 0.25, limit %d", goodput, w.limit.Limit())
	}
}

// A server that never had a moment without load has shown nobody how fast it can be.
func TestALearnedLimitIsFoundUnderLoadAlone(t *testing.T) {
	for _, workers := range []int{1, 4, 16} {
		w := newWorked(t, workers, exponential, ratelimit.AdaptiveConfig{})
		w.run(10, 2*time.Minute)
		goodput, p99 := w.run(10, 30*time.Second)
		t.Logf("%d workers: goodput %.2f, p99 %v, limit %d", workers, goodput, p99, w.limit.Limit())
		if goodput < 0.93 || w.limit.Limit() > 2*workers+26 {
			t.Errorf("%d workers: goodput %.2f, p99 %v, limit %d", workers, goodput, p99, w.limit.Limit())
		}
	}
}

func TestALearnedLimitFollowsAServerThatChanges(t *testing.T) {
	w := newWorked(t, 16, exponential, ratelimit.AdaptiveConfig{})
	w.run(2, 30*time.Second)
	w.mean *= 3 // slower for good
	w.run(2, 10*time.Minute)
	goodput, p99 := w.run(2, 30*time.Second)
	t.Logf("three times slower: goodput %.2f, p99 %v, limit %d", goodput, p99, w.limit.Limit())
	if goodput < 0.85 {
		t.Errorf("three times slower: goodput %.2f, limit %d", goodput, w.limit.Limit())
	}
	w.mean /= 3
	w.run(2, 10*time.Second)
	if goodput, _ := w.run(2, 20*time.Second); goodput < 0.93 {
		t.Errorf("as fast as before: goodput %.2f, limit %d", goodput, w.limit.Limit())
	}
}

func TestALearnedLimitStaysWithoutLoad(t *testing.T) {
	w := newWorked(t, 16, bimodal, ratelimit.AdaptiveConfig{})
	w.run(2, 30*time.Second)
	before := w.limit.Limit()
	w.run(0.1, 5*time.Minute)
	if after := w.limit.Limit(); after < before*9/10 {
		t.Errorf("the limit fell from %d to %d", before, after)
	}
}

// dropping has calls end after from, of which every nth is dropped.
func dropping(a *ratelimit.Adaptive, from time.Duration, nth int) {
	for i := range 5000 {
		a.Done(from+time.Duration(i)*time.Millisecond, 10*time.Millisecond, a.Limit(), nth > 0 && i%nth == 0)
	}
}

func TestDroppedCallsLowerALearnedLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		nth  int
		less bool
	}{{"none", 0, false}, {"one in a hundred", 100, false}, {"every third", 3, true}, {"all", 1, true}} {
		a, _ := ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{})
		if dropping(a, 0, c.nth); (a.Limit() < ratelimit.DefaultInitialLimit) != c.less || a.Limit() < ratelimit.DefaultMinLimit {
			t.Errorf("%s: the limit is %d", c.name, a.Limit())
		}
	}
}

func TestBoundsOfALearnedLimit(t *testing.T) {
	a, _ := ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{Min: 7, Max: 30, Initial: 15})
	if a.Limit() != 15 {
		t.Errorf("it begins with %d", a.Limit())
	}
	if dropping(a, 0, 1); a.Limit() != 7 {
		t.Errorf("it falls to %d", a.Limit())
	}
	if err := a.Set(ratelimit.AdaptiveConfig{Min: 9, Max: 12}); err != nil || a.Limit() != 9 {
		t.Errorf("with a higher least: %v, %d", err, a.Limit())
	}
	if dropping(a, time.Minute, 0); a.Limit() != 12 {
		t.Errorf("it rises to %d", a.Limit())
	}
	if err := a.Set(ratelimit.AdaptiveConfig{Min: -1}); err == nil || a.Limit() != 12 {
		t.Errorf("%v, %d", err, a.Limit())
	}
	if c := (ratelimit.AdaptiveConfig{}).AtClient(); c.Min != 1 || c.Initial != 4 {
		t.Errorf("at a client it is %+v", c)
	}
	if c := (ratelimit.AdaptiveConfig{Max: 2}).AtClient(); c.Initial != 2 || c.Validate() != nil {
		t.Errorf("at a client it is %+v", c)
	}
}

func TestALearnedLimitCostsNoAllocation(t *testing.T) {
	a, _ := ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{})
	now := time.Duration(0)
	if n := testing.AllocsPerRun(10_000, func() {
		now += time.Millisecond
		a.Done(now, time.Millisecond, a.Limit(), false)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
