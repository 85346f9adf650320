package retry_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

func newHedge(tb testing.TB, c retry.HedgeConfig) *retry.Hedge {
	tb.Helper()
	h, err := retry.NewHedge(c)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func start(h *retry.Hedge, calls int, now time.Duration) {
	for i := range calls {
		h.Start(now, uint64(i))
	}
}

func TestHedgeDelay(t *testing.T) {
	of := func(n int, d time.Duration) *retry.Latencies {
		var l retry.Latencies
		for range n {
			l.Record(0, d)
		}
		return &l
	}
	tests := []struct {
		name      string
		config    retry.HedgeConfig
		latencies *retry.Latencies
		want      time.Duration // at least, and at most 5 % more; 0: none is sent
	}{
		{"the method's own", retry.HedgeConfig{}, of(20, 30*ms), 30 * ms},
		{"too little is known", retry.HedgeConfig{}, of(19, 30*ms), 0},
		{"a millisecond at least", retry.HedgeConfig{}, of(20, 100*time.Microsecond), ms},
		{"or what is set", retry.HedgeConfig{MinDelay: 10 * ms}, of(20, 100*time.Microsecond), 10 * ms},
		{"almost two seconds", retry.HedgeConfig{}, of(20, 1850*ms), 1850 * ms},
		{"no more than two seconds", retry.HedgeConfig{}, of(20, 2001*ms), 0},
		{"fixed", retry.HedgeConfig{Delay: 7 * ms}, of(20, 30*ms), 7 * ms},
		{"fixed, whatever is known", retry.HedgeConfig{Delay: 3 * time.Second}, nil, 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := newHedge(t, tt.config).Delay(0, tt.latencies)
			if ok != (tt.want != 0) || ok && (got < tt.want || float64(got) > 1.05*float64(tt.want)) {
				t.Errorf("got %v, %t; want %v", got, ok, tt.want)
			}
		})
	}
	t.Run("its own percentile", func(t *testing.T) {
		var l retry.Latencies
		for i := range time.Duration(100) {
			l.Record(0, (i+1)*ms)
		}
		if got, ok := newHedge(t, retry.HedgeConfig{Percentile: 0.5}).Delay(0, &l); !ok || got < 50*ms || got > 53*ms {
			t.Errorf("got %v, %t; want 50 ms", got, ok)
		}
	})
}

// hedges is how many of some overdue calls are sent again.
func hedges(h *retry.Hedge, b *retry.Budget, overdue int, now time.Duration) (n int, last error) {
	for range overdue {
		if err := h.Withdraw(now, b); err != nil {
			last = err
		} else {
			n++
		}
	}
	return n, last
}

func TestHedgeShare(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name    string
		config  retry.HedgeConfig
		do      func(h *retry.Hedge, from time.Duration)
		at      time.Duration
		overdue int
		want    int
	}{
		{"nothing to begin with", retry.HedgeConfig{}, func(*retry.Hedge, time.Duration) {}, 0, 1, 0},
		{"not for the first few calls", retry.HedgeConfig{}, func(h *retry.Hedge, from time.Duration) { start(h, 16, from) }, 0, 1, 0},
		{"one for seventeen", retry.HedgeConfig{}, func(h *retry.Hedge, from time.Duration) { start(h, 17, from) }, 0, 2, 1},
		{"six of a hundred", retry.HedgeConfig{}, func(h *retry.Hedge, from time.Duration) { start(h, 100, from) }, 0, 10, 6},
		{"less of a higher percentile", retry.HedgeConfig{Percentile: 0.99}, func(h *retry.Hedge, from time.Duration) { start(h, 1000, from) }, 0, 20, 12},
		{"its own share", retry.HedgeConfig{MaxExtra: 0.02}, func(h *retry.Hedge, from time.Duration) { start(h, 100, from) }, 0, 10, 2},
		{"calls pay for almost ten seconds", retry.HedgeConfig{MaxExtra: 0.02}, func(h *retry.Hedge, from time.Duration) { start(h, 100, from+2*s) }, 11750 * ms, 10, 2},
		{"and no longer", retry.HedgeConfig{MaxExtra: 0.02}, func(h *retry.Hedge, from time.Duration) { start(h, 100, from+2*s) }, 12 * s, 10, 0},
		{"rare calls pay for none", retry.HedgeConfig{}, func(h *retry.Hedge, from time.Duration) {
			for i := range time.Duration(1000) {
				start(h, 1, from+i*s)
			}
		}, 999 * s, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, from := range []time.Duration{0, -4 * s, -200 * 365 * 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
				h := newHedge(t, tt.config)
				b := newBudget(t, retry.BudgetConfig{})
				tt.do(h, from)
				if got, err := hedges(h, b, tt.overdue, from+tt.at); got != tt.want || !errors.Is(err, retry.ErrHedgesSpent) {
					t.Errorf("from %v: %d were sent, want %d: %v", from, got, tt.want, err)
				}
				if paid := 100 - b.Remaining(from+tt.at); paid != tt.want {
					t.Errorf("from %v: the budget paid %d, want %d", from, paid, tt.want)
				}
			}
		})
	}
	t.Run("both pay or neither", func(t *testing.T) {
		h, b := newHedge(t, retry.HedgeConfig{}), newBudget(t, retry.BudgetConfig{})
		start(h, 100, 0)
		withdrawAll(b, 0)
		if err := h.Withdraw(0, b); err != retry.ErrBudgetSpent {
			t.Fatalf("%v with an empty budget", err)
		}
		// Of the share nothing was taken.
		if got, _ := hedges(h, newBudget(t, retry.BudgetConfig{}), 10, 0); got != 6 {
			t.Errorf("then %d were sent, want 6", got)
		}
	})
}

func TestHedgesStopWhileTheServiceIsSlow(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name       string
		percentile float64
		calls      int
		overdue    int // before the one that asks
		at         time.Duration
		slow       bool
	}{
		{"as many as expected", 0, 1000, 49, 0, false},
		{"three times as many, and two", 0, 1000, 151, 0, false},
		{"more than that", 0, 1000, 152, 0, true},
		{"of too few calls", 0, 9, 8, 0, false},
		{"of ten calls three", 0, 10, 2, 0, false},
		{"of ten calls four", 0, 10, 3, 0, true},
		{"within two seconds", 0, 1000, 200, 1750*ms - 1, true},
		{"and no longer", 0, 1000, 200, 2 * s, false},
		{"of a higher percentile", 0.99, 1000, 32, 0, true},
		{"and not quite", 0.99, 1000, 31, 0, false},
		{"of a low one, halfway to all", 0.5, 100, 76, 0, false},
		{"and more", 0.5, 100, 77, 0, true},
		{"all of ten calls of a low one", 0.5, 10, 9, 0, true},
		{"of the lowest it never is", 0.01, 100, 99, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHedge(t, retry.HedgeConfig{Percentile: tt.percentile, MaxExtra: 1})
			b := newBudget(t, retry.BudgetConfig{MinPerSecond: 1000})
			start(h, tt.calls, 0)
			hedges(h, b, tt.overdue, 0)
			if err := h.Withdraw(tt.at, b); err != nil != tt.slow || tt.slow && err != retry.ErrSlow {
				t.Errorf("the next is told %v", err)
			}
		})
	}
	for overdue, slow := range map[int]bool{700: false, 760: true} {
		t.Run(fmt.Sprintf("with a fixed delay, %d of 1000 late", overdue), func(t *testing.T) {
			h := newHedge(t, retry.HedgeConfig{Delay: ms, MaxExtra: 1})
			b := newBudget(t, retry.BudgetConfig{MinPerSecond: 1000})
			start(h, 1000, 0)
			hedges(h, b, overdue, 0)
			if err := h.Withdraw(0, b); (err == retry.ErrSlow) != slow {
				t.Errorf("the next is told %v", err)
			}
		})
	}
	t.Run("and go on when it is over", func(t *testing.T) {
		h, b := newHedge(t, retry.HedgeConfig{}), newBudget(t, retry.BudgetConfig{})
		sent := map[time.Duration]int{} // by the second
		for now := time.Duration(0); now < 12*s; now += 5 * ms {
			h.Start(now, 0)
			hang := now >= 4*s && now < 8*s
			if hang || now%(100*ms) == 0 {
				if h.Withdraw(now, b) == nil {
					sent[now/s]++
				}
			}
		}
		for second, want := range []int{-1, 10, 10, 10, -1, 0, 0, 0, 0, -1, 10, 10} {
			got := sent[time.Duration(second)]
			if want >= 0 && got != want {
				t.Errorf("in second %d %d were sent, want %d: %v", second, got, want, sent)
			}
		}
	})
	t.Run("whoever is slow costs the budget nothing", func(t *testing.T) {
		h, b := newHedge(t, retry.HedgeConfig{MaxExtra: 1}), newBudget(t, retry.BudgetConfig{})
		start(h, 1000, 0)
		sent, last := hedges(h, b, 1000, 0)
		if last != retry.ErrSlow || 100-b.Remaining(0) != min(sent, 100) {
			t.Errorf("%v after %d, %d remain", last, sent, b.Remaining(0))
		}
	})
}

// FuzzHedge makes calls that are overdue at any times and holds the history against
// the share. Every byte is one step, as in FuzzBudget.
func FuzzHedge(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\xff\x01\xfe\x40\x80\xc0"))
	bits := rand.New(rand.NewPCG(15, 16))
	for range 15 {
		steps := make([]byte, 400)
		for i := range steps {
			steps[i] = byte(bits.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		const extra = 0.3
		h := newHedge(t, retry.HedgeConfig{MaxExtra: extra, Percentile: 0.01}) // never slow
		b := newBudget(t, retry.BudgetConfig{MinPerSecond: 10_000})
		var calls, sent []event
		now := -20 * time.Second
		for _, step := range steps[:min(len(steps), 500)] {
			now += [...]time.Duration{0, 7 * ms, 130 * ms, 400 * ms, 3 * time.Second, 9900 * ms, 11 * time.Second, time.Hour}[step>>5]
			if step&1 == 0 {
				n := int(step&31) * 3
				start(h, n, now)
				calls = append(calls, event{now, n})
				continue
			}
			for range int(step & 31) {
				err := h.Withdraw(now, b)
				if err == nil {
					sent = append(sent, event{now, 1})
					continue
				}
				if err == retry.ErrHedgesSpent {
					paid := extra * float64(sum(calls, now-9750*ms, now))
					if spent := sum(sent, now-10250*ms, now); float64(spent)+1 <= paid-1e-6 {
						t.Fatalf("refused at %v after %d, calls pay for %v", now, spent, paid)
					}
				}
			}
		}
		for _, last := range sent {
			n, paid := sum(sent, last.at-10*time.Second, last.at), extra*float64(sum(calls, last.at-10*time.Second, last.at))
			if float64(n) > paid+1e-6 {
				t.Fatalf("%d in the ten seconds to %v, calls pay for %v", n, last.at, paid)
			}
		}
	})
}

func TestHedgeUnderConcurrency(t *testing.T) {
	h, b := newHedge(t, retry.HedgeConfig{MaxExtra: 0.1, Percentile: 0.01}), newBudget(t, retry.BudgetConfig{MinPerSecond: 1000})
	var sent atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range time.Duration(1000) {
				h.Start(i*ms, rand.Uint64())
				if i%2 == 0 && h.Withdraw(i*ms, b) == nil {
					sent.Add(1)
				}
			}
		})
	}
	all.Wait()
	rest, _ := hedges(h, b, 1000, time.Second)
	if got := int(sent.Load()) + rest; got != 800 {
		t.Errorf("%d of 8000 calls were sent again, want 800", got)
	}
}

func TestHedgeAllocatesNothing(t *testing.T) {
	h, b := newHedge(t, retry.HedgeConfig{}), newBudget(t, retry.BudgetConfig{})
	var l retry.Latencies
	now := time.Duration(0)
	if got := testing.AllocsPerRun(1000, func() {
		now += 10 * ms
		h.Start(now, 0)
		h.Delay(now, &l)
		h.Withdraw(now, b)
		l.Record(now, 20*ms)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestHedgeConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		config retry.HedgeConfig
		want   []string // field, value and what is allowed; nil: valid
	}{
		{"zero", retry.HedgeConfig{}, nil},
		{"all", retry.HedgeConfig{Percentile: 0.99, Delay: time.Second, MinDelay: ms, MaxExtra: 1}, nil},
		{"negative percentile", retry.HedgeConfig{Percentile: -0.1}, []string{"HedgeConfig.Percentile", "-0.1", "below 1"}},
		{"all of them", retry.HedgeConfig{Percentile: 1}, []string{"HedgeConfig.Percentile", "is 1", "below 1"}},
		{"in hundredths", retry.HedgeConfig{Percentile: 95}, []string{"HedgeConfig.Percentile", "95", "below 1"}},
		{"percentile not a number", retry.HedgeConfig{Percentile: math.NaN()}, []string{"HedgeConfig.Percentile", "NaN"}},
		{"negative delay", retry.HedgeConfig{Delay: -ms}, []string{"HedgeConfig.Delay", "-1ms"}},
		{"negative least", retry.HedgeConfig{MinDelay: -ms}, []string{"HedgeConfig.MinDelay", "-1ms", "2s"}},
		{"a least beyond all", retry.HedgeConfig{MinDelay: 3 * time.Second}, []string{"HedgeConfig.MinDelay", "3s", "2s"}},
		{"negative share", retry.HedgeConfig{MaxExtra: -1}, []string{"HedgeConfig.MaxExtra", "-1", "to 1"}},
		{"a share above all", retry.HedgeConfig{MaxExtra: 1.1}, []string{"HedgeConfig.MaxExtra", "1.1", "to 1"}},
		{"share not a number", retry.HedgeConfig{MaxExtra: math.NaN()}, []string{"HedgeConfig.MaxExtra", "NaN"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.config.Validate()
			names(t, err, tt.want)
			h, newErr := retry.NewHedge(tt.config)
			if (newErr == nil) != (err == nil) || (h == nil) != (err != nil) {
				t.Errorf("NewHedge: %v, %v", h, newErr)
			}
		})
	}
}
