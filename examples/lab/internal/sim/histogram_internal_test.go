package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramIsNearlyASortedList(t *testing.T) {
	bits := rand.New(rand.NewPCG(1, 2))
	h, all := newHistogram(), []time.Duration{}
	for range 100_000 {
		d := time.Duration(math.Exp(20 + 4*bits.NormFloat64()))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		if got := h.Quantile(q); math.Abs(float64(got)/float64(want)-1) > 0.01 {
			t.Errorf("the quantile of %g is %v, want %v", q, got, want)
		}
		if got := h.Above(want); math.Abs(got/(1-q)-1) > 0.02 {
			t.Errorf("above %v is %g, want %g", want, got, 1-q)
		}
	}
}

func TestHistogramOfAnything(t *testing.T) {
	h := newHistogram()
	if h.Mean() != 0 || h.Quantile(0.5) != 0 || h.Above(0) != 0 {
		t.Error("of nothing it says something")
	}
	for _, d := range []time.Duration{0, 1, -1, 255, 256, math.MaxInt64} {
		h.add(d)
		if from, below := bounds(rangeOf(uint64(max(0, d)))); float64(max(0, d)) < from || float64(d) > below {
			t.Errorf("%d is in the range from %g to %g", d, from, below)
		}
	}
}

func TestQueueIsInOrder(t *testing.T) {
	bits := rand.New(rand.NewPCG(1, 2))
	var q queue
	var want []int64
	for range 10_000 {
		if len(q) > 0 && bits.IntN(3) == 0 {
			slices.Sort(want)
			if got := q.pop().at; got != want[0] {
				t.Fatalf("got %d, want %d", got, want[0])
			}
			want = want[1:]
			continue
		}
		at := bits.Int64N(1000)
		q.push(event{at: at})
		want = append(want, at)
	}
}

func TestWorkTakesLongerInASpell(t *testing.T) {
	stops := []stretch{{from: 10, until: 20, slow: 0}, {from: 30, until: 40, slow: 2}}
	for _, tt := range []struct {
		name  string
		start int64
		work  float64
		want  int64
	}{
		{"before it", 0, 5, 5},
		{"until it begins", 0, 10, 10},
		{"over a stop", 5, 10, 25},
		{"begun in a stop", 15, 3, 23},
		{"into a slow time", 25, 8, 36},
		{"over a slow time", 25, 12, 42},
		{"over both", 5, 20, 40},
		{"after both", 50, 7, 57},
		{"for ever", 0, math.Inf(1), forever},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one := server{stretches: slices.Clone(stops)}
			if got := one.after(tt.start, tt.work); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSpellsAreAsOftenAndAsLongAsPlanned(t *testing.T) {
	bits := rand.New(rand.NewPCG(1, 2))
	all := stretches(bits, 0, int64(10_000*time.Second), Spell{Every: time.Second, For: 100 * time.Millisecond}, Spell{Every: 10 * time.Second, For: time.Second, Slow: 3})
	var stopped, slowed, last int64
	for _, s := range all {
		if s.from < last || s.until <= s.from {
			t.Fatalf("%+v comes after one until %d", s, last)
		}
		if last = s.until; s.slow == 0 {
			stopped += s.until - s.from
		} else {
			slowed += s.until - s.from
		}
	}
	if share := float64(stopped) / float64(10_000*time.Second); math.Abs(share-0.1) > 0.005 {
		t.Errorf("it stops for %.4f of the time, want 0.1", share)
	}
	if share := float64(slowed) / float64(10_000*time.Second); math.Abs(share-0.09) > 0.01 {
		t.Errorf("it is slow for %.4f of the time, want 0.1 less what it stops for", share)
	}
}
