package retry_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/retry"
)

// What hedging is for: of a service that is twenty times slower for one call in a
// hundred, the thousandth slowest call is as fast as those that are not, for at most
// six executions more per hundred calls.
func TestHedgingCutsTheTail(t *testing.T) {
	for _, rate := range []float64{100, 1000} {
		r := rand.New(rand.NewPCG(1, 2))
		draw := func() time.Duration {
			if r.IntN(100) == 0 {
				return time.Duration(200e6 * math.Exp(0.3*r.NormFloat64()))
			}
			return time.Duration(10e6 * math.Exp(0.4*r.NormFloat64()))
		}
		h, b := newHedge(t, retry.HedgeConfig{}), newBudget(t, retry.BudgetConfig{})
		var l retry.Latencies

		type moment struct {
			at      time.Duration
			began   time.Duration
			first   time.Duration // that the first attempt takes
			overdue bool          // else it is over
		}
		var agenda []moment // sorted
		later := func(m moment) {
			i, _ := slices.BinarySearchFunc(agenda, m, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
			agenda = slices.Insert(agenda, i, m)
		}
		var plain, hedged []time.Duration
		extra, now := 0, time.Duration(0)
		const calls = 60_000
		for range calls {
			now += time.Duration(r.ExpFloat64() / rate * 1e9)
			for len(agenda) > 0 && agenda[0].at <= now {
				m := agenda[0]
				agenda = agenda[1:]
				if !m.overdue {
					l.Record(m.at, m.at-m.began)
					continue
				}
				took := m.first
				if h.Withdraw(m.at, b) == nil {
					extra++
					took = min(took, m.at-m.began+draw())
				}
				hedged = append(hedged, took)
				later(moment{at: m.began + took, began: m.began})
			}
			h.Start(now, r.Uint64())
			b.Deposit(now, r.Uint64())
			m := moment{at: now, began: now, first: draw()}
			plain = append(plain, m.first)
			if delay, ok := h.Delay(now, &l); ok && delay < m.first {
				m.at, m.overdue = now+delay, true
			} else {
				hedged = append(hedged, m.first)
				m.at += m.first
			}
			later(m)
		}
		slices.Sort(plain)
		slices.Sort(hedged)
		before, after := plain[len(plain)*999/1000], hedged[len(hedged)*999/1000]
		t.Logf("%v/s: p99.9 %v, hedged %v, for %.4f executions more", rate, before, after, float64(extra)/calls)
		if after > before/3 || extra > calls*6/100 {
			t.Errorf("%v/s: p99.9 %v is %v for %.4f executions more", rate, before, after, float64(extra)/calls)
		}
	}
}
