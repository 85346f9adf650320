package sim_test

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/retry"
)

const (
	ms         = time.Millisecond
	everything = retry.ConnectFailure | retry.Reset | retry.TimedOut | retry.Overload | retry.ServerFailure
)

// troubled is a world in which a third of the instances stall and fail, and callers
// do all that they can about it. All calls count.
func troubled() sim.Plan {
	return sim.Plan{
		Length: 20 * second, Warmup: 1, Clients: 3, Timeout: second, Idempotent: true,
		Traffic: sim.Traffic{Load: 0.3},
		Fleet: []sim.Class{
			{Name: "well", Count: 4, Workers: 4},
			{Name: "bad", Count: 2, Workers: 4, Limit: 8, Condition: sim.Condition{Fails: 0.1, Loses: 0.1, Stalls: 0.2, StallsBy: 50}, Bad: true},
		},
		Retry: retry.Policy{On: everything, AttemptTimeout: 100 * ms, MaxAttempts: 4}, Hedge: &retry.HedgeConfig{},
	}
}

// chain is three services that call each other.
func chain(last sim.Condition) sim.Plan {
	p := sim.Plan{
		Length: 10 * second, Warmup: 1, Clients: 2, Timeout: second, Idempotent: true, Work: sim.Work{Mean: ms},
		Retry: retry.Policy{On: everything, Backoff: retry.BackoffConfig{BaseInterval: ms}},
	}
	for hop := range 3 {
		p.Fleet = append(p.Fleet, sim.Class{Name: fmt.Sprint("hop ", hop), Hop: hop, Count: 2, Workers: 10})
	}
	p.Fleet[2].Condition = last
	p.Traffic.Load = 1000.0 / (3 * 2 * 10 * 1000) // a thousand calls a second
	return p
}

func changed(p sim.Plan, changes ...func(*sim.Plan)) sim.Plan {
	for _, change := range changes {
		change(&p)
	}
	return p
}

func heeds(p *sim.Plan) { p.Heeds = true }

func unbounded(p *sim.Plan) { p.Budget = retry.BudgetConfig{Ratio: 1, MinPerSecond: 10_000} }

// crash makes the bad ones go down when all are busy.
func crash(p *sim.Plan) {
	p.Changes = append(p.Changes, sim.Change{At: p.Length / 2, Class: p.Fleet[len(p.Fleet)-1].Name, To: sim.Condition{Down: true}})
}

func far(p *sim.Plan) {
	p.Zones, p.Network.Far = []string{"a", "b"}, 5*ms
	p.Fleet[0].Zone, p.Fleet[1].Zone = "a", "b"
}

func overload(p *sim.Plan) { p.Traffic.Load = 1.5 }

func TestNothingIsLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan sim.Plan
	}{
		{"troubled", troubled()},
		{"who heeds callers", changed(troubled(), heeds)},
		{"overload", changed(troubled(), overload)},
		{"overload of who heeds callers", changed(troubled(), overload, heeds)},
		{"no budget", changed(troubled(), unbounded, overload)},
		{"far away", changed(troubled(), far)},
		{"far away, who heeds callers", changed(troubled(), far, heeds, overload)},
		{"crash", changed(troubled(), crash)},
		{"crash of who heeds callers", changed(troubled(), crash, heeds, overload)},
		{"limits of clients", changed(troubled(), overload, ranked, clientLimits)},
		{"admission", changed(troubled(), overload, ranked, admission)},
		{"both, and a crash", changed(troubled(), overload, ranked, clientLimits, admission, crash)},
		{"chain of limited clients", changed(chain(sim.Condition{Fails: 0.3, Stalls: 0.1, StallsBy: 100}), ranked, clientLimits)},
		{"chain", chain(sim.Condition{Fails: 0.3})},
		{"chain, hedged", changed(chain(sim.Condition{Fails: 0.1, Stalls: 0.1, StallsBy: 100}), func(p *sim.Plan) {
			p.Hedge, p.Retry.AttemptTimeout = &retry.HedgeConfig{}, 50*ms
		})},
		{"chain of which the end crashes", changed(chain(sim.Condition{}), func(p *sim.Plan) { p.Traffic.Load = 0.3 }, crash)},
		{"chain of which the middle crashes", changed(chain(sim.Condition{}), func(p *sim.Plan) {
			p.Traffic.Load = 0.3
			p.Changes = []sim.Change{{At: p.Length / 2, Class: "hop 1", To: sim.Condition{Down: true}}}
		})},
	} {
		for _, s := range []string{"p2c-ewma", "prequal", "round-robin"} {
			t.Run(tt.name+", "+s, func(t *testing.T) {
				if underRace {
					tt.plan.Length /= 10
				}
				r := playFor(t, tt.plan, subjects()[s])
				if r.Calls != r.Played || r.Calls == 0 {
					t.Fatalf("%d calls, of which %d count", r.Played, r.Calls)
				}
				if well := r.Latency.Count(); r.Errors+well != r.Calls {
					t.Errorf("%d calls failed and %d did not, of %d", r.Errors, well, r.Calls)
				}
				if want := r.Calls + r.Retries + r.Hedges - r.Withheld; r.Attempts != want {
					t.Errorf("%d attempts: %d calls, %d retries, %d hedges, of which %d were not sent, are %d", r.Attempts, r.Calls, r.Retries, r.Hedges, r.Withheld, want)
				}
				for hop, n := range r.Hops {
					if sum := n.Executions + n.Refused + n.Full + n.Unbegun; n.Attempts != sum {
						t.Errorf("hop %d: %d attempts, of which is known what became of %d: %+v", hop, n.Attempts, sum, n)
					}
					if n.HedgesWon > n.Hedges || n.Stopped > n.Executions {
						t.Errorf("hop %d: %+v", hop, n)
					}
				}
				calls := int64(0)
				for i := range r.Ranks {
					one := &r.Ranks[i]
					calls += one.Calls
					if one.All() != one.Calls || one.Well != one.Latency.Count() {
						t.Errorf("of %d calls of priority %d is known how %d ended, %d of them well", one.Calls, i, one.All(), one.Well)
					}
				}
				if calls != r.Calls {
					t.Errorf("%d calls have a priority, of %d", calls, r.Calls)
				}
				began, ended, attempts := int64(0), int64(0), int64(0)
				for _, m := range r.Course {
					began, ended, attempts = began+m.Began, ended+m.Well+m.Failed, attempts+m.Attempts
					if all := m.By[0].All() + m.By[1].All() + m.By[2].All(); all != m.Well+m.Failed {
						t.Errorf("of %d calls that ended at some moment %d have a priority", m.Well+m.Failed, all)
					}
				}
				if began != r.Played || ended > began || attempts > r.Hops[len(r.Hops)-1].Attempts {
					t.Errorf("of %d calls %d began at some moment, %d ended, with %d attempts", r.Played, began, ended, attempts)
				}
			})
		}
	}
}

// Where no caller leaves, a queue that is known in advance and one that is played are
// the same.
func TestHeedingChangesNothingWhereNobodyLeaves(t *testing.T) {
	p := small()
	p.Fleet[0].Pauses = sim.Spell{Every: second, For: 20 * ms}
	one, other := play(t, p), play(t, changed(p, heeds))
	if !reflect.DeepEqual(one, other) {
		t.Errorf("p99 is %v and %v, executions are %d and %d", one.Latency.Quantile(0.99), other.Latency.Quantile(0.99), one.Executions, other.Executions)
	}
}

func TestWhoHeedsCallersStopsAtOnce(t *testing.T) {
	p := changed(troubled(), overload)
	deaf, heeding := play(t, p), play(t, changed(p, heeds))
	if deaf.Stopped+deaf.Unbegun > 0 {
		t.Errorf("who heeds nobody stopped %d and did not begin %d", deaf.Stopped, deaf.Unbegun)
	}
	if heeding.Stopped == 0 || heeding.Unbegun == 0 {
		t.Errorf("who heeds callers stopped %d and did not begin %d", heeding.Stopped, heeding.Unbegun)
	}
	if heeding.Errors >= deaf.Errors {
		t.Errorf("%d calls fail although a third of the work is saved, and %d without", heeding.Errors, deaf.Errors)
	}
}

func TestBudgetsHold(t *testing.T) {
	spent := func(r *sim.Result, hop int) float64 { return float64(r.Hops[hop].Retries + r.Hops[hop].Hedges) }
	// What budgets allow, with the reserve of ten seconds that each begins with.
	allowed := func(calls, budgets int64, length time.Duration) float64 {
		return 0.2*float64(calls) + float64(budgets)*(10*length.Seconds()+100)
	}
	for seed := range uint64(2) {
		p := changed(troubled(), overload)
		one, err := sim.Run(p, policy(nil), seed)
		if err != nil {
			t.Fatal(err)
		}
		if most := allowed(one.Calls, 3, p.Length); spent(one, 0) > most || spent(one, 0) < most/2 {
			t.Errorf("seed %d: %v attempts are made again, allowed are %v", seed, spent(one, 0), most)
		}
		many := small()
		many.Warmup, many.Clients, many.Traffic.Load, many.Idempotent, many.Shared = 1, 30, 0.1, true, &retry.BudgetConfig{}
		many.Fleet[0].Loses, many.Fleet[1].Loses = 1, 1
		shared, err := sim.Run(many, policy(nil), seed)
		if err != nil {
			t.Fatal(err)
		}
		if most := allowed(shared.Calls, 1, many.Length); spent(shared, 0) > most || spent(shared, 0) < most/2 {
			t.Errorf("seed %d: %v attempts are made again, all clients together may %v", seed, spent(shared, 0), most)
		}
		c := chain(sim.Condition{Fails: 1})
		hops, err := sim.Run(c, policy(nil), seed)
		if err != nil {
			t.Fatal(err)
		}
		calls := hops.Calls
		for hop := range hops.Hops {
			if most := allowed(calls, 2, c.Length); spent(hops, hop) > most {
				t.Errorf("seed %d: hop %d: %v attempts are made again, allowed are %v", seed, hop, spent(hops, hop), most)
			}
			calls = hops.Hops[hop].Executions // each makes a call
		}
	}
}

func TestHedgesAreAShare(t *testing.T) {
	for name, config := range map[string]*retry.HedgeConfig{"p95": {}, "p80": {Percentile: 0.8}, "earlier than the share allows": {Delay: 25 * ms}} {
		t.Run(name, func(t *testing.T) {
			most := cmp.Or(config.MaxExtra, 1.2*(1-cmp.Or(config.Percentile, 0.95)))
			p := small() // of which eight in a hundred take longer than 25 ms
			p.Traffic.Load, p.Idempotent, p.Warmup, p.Length = 0.2, true, 1, 100*second
			p.Hedge, p.Retry = config, retry.Policy{MaxAttempts: 1}
			p.Budget.Ratio = 1
			r := play(t, p)
			if share := float64(r.Hedges) / float64(r.Calls); share > most || r.Hedges == 0 || r.HedgesWon == 0 {
				t.Errorf("%d of %d calls were sent twice, and %d won; allowed is a share of %v", r.Hedges, r.Calls, r.HedgesWon, most)
			}
		})
	}
}

func TestWhatCallersDo(t *testing.T) {
	stalls := func(p *sim.Plan) {
		p.Fleet[1].Limit, p.Fleet[1].Condition, p.Hedge = 0, sim.Condition{Stalls: 0.3, StallsBy: 1000}, nil
		p.Work, p.Retry.On = sim.Work{Shape: sim.Constant}, 0
	}
	everywhere := func(p *sim.Plan) {
		stalls(p)
		p.Fleet = []sim.Class{{Name: "all", Count: 6, Workers: 4, Condition: sim.Condition{Stalls: 0.02, StallsBy: 50}}}
		p.Retry.AttemptTimeout, p.Warmup, p.Traffic.Load = 0, 5*second, 0.1
	}
	full := func(p *sim.Plan) {
		p.Fleet = []sim.Class{{Name: "full", Count: 2, Limit: 1}}
		p.Traffic.Load, p.Hedge, p.Retry.AttemptTimeout = 0.5, nil, 0
	}
	for _, tt := range []struct {
		name     string
		one, two sim.Plan
		better   func(one, two *sim.Result) bool
	}{
		{"an attempt that has no time left is made again elsewhere", changed(troubled(), stalls), changed(troubled(), stalls, func(p *sim.Plan) { p.Retry.On = retry.TimedOut }),
			func(one, two *sim.Result) bool { return one.Errors > 20 && two.Errors == 0 }},
		{"who may not be called twice is not", changed(troubled(), stalls, func(p *sim.Plan) { p.Retry.On, p.Idempotent = retry.TimedOut, false }), changed(troubled(), stalls),
			func(one, two *sim.Result) bool {
				return one.Errors > 20 && one.Attempts == one.Calls && two.Errors > 20
			}},
		{"a hedge does not wait for who stalls", changed(troubled(), everywhere), changed(troubled(), everywhere, func(p *sim.Plan) { p.Hedge = &retry.HedgeConfig{} }),
			func(one, two *sim.Result) bool {
				return one.Latency.Quantile(0.999) > 500*ms && two.Latency.Quantile(0.999) < 100*ms
			}},
		{"codes are as good as conditions", changed(troubled(), full, func(p *sim.Plan) { p.Retry.On, p.Retry.Codes = retry.Overload, nil }),
			changed(troubled(), full, func(p *sim.Plan) { p.Retry.On, p.Retry.Codes = 0, []int{503} }),
			func(one, two *sim.Result) bool { return reflect.DeepEqual(one, two) && one.Retries > 0 }},
		{"who is asked to wait does", changed(troubled(), full), changed(troubled(), full, func(p *sim.Plan) { p.Fleet[0].RetryAfter = 300 * ms }),
			func(one, two *sim.Result) bool {
				return one.Latency.Quantile(0.9) < 300*ms && two.Latency.Quantile(0.9) > 300*ms
			}},
		{"who is asked to wait longer than the call lasts gives up", changed(troubled(), full), changed(troubled(), full, func(p *sim.Plan) { p.Fleet[0].RetryAfter = 2 * second }),
			func(one, two *sim.Result) bool { return one.Retries > 0 && two.Retries == 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := play(t, tt.one), play(t, tt.two)
			if !tt.better(one, two) {
				for _, r := range []*sim.Result{one, two} {
					t.Errorf("%d calls, %d errors, p90 %v, p99.9 %v, %+v", r.Calls, r.Errors, r.Latency.Quantile(0.9), r.Latency.Quantile(0.999), r.Tally)
				}
			}
		})
	}
}

func TestChains(t *testing.T) {
	t.Run("a call takes the time of all hops", func(t *testing.T) {
		r := play(t, changed(chain(sim.Condition{}), func(p *sim.Plan) { p.Length = 100 * second }))
		want := 3*ms + 6*250*time.Microsecond
		if got := r.Latency.Mean(); math.Abs(float64(got-want)) > 0.02*float64(want) {
			t.Errorf("the mean is %v, want %v", got, want)
		}
	})
	t.Run("without budgets three hops make 27 of one", func(t *testing.T) {
		r := play(t, changed(chain(sim.Condition{Fails: 1}), unbounded))
		if r.Amplification() < 20 || r.Errors != r.Calls {
			t.Errorf("%.2f attempts a call, %d of %d fail", r.Amplification(), r.Errors, r.Calls)
		}
	})
	t.Run("a hop has the time that is left", func(t *testing.T) {
		p := chain(sim.Condition{Hangs: true})
		p.Timeout, p.Retry.MaxAttempts = 100*ms, 1
		if r := play(t, p); r.Errors != r.Calls || r.Amplification() != 1 {
			t.Errorf("%d of %d fail, %.2f attempts", r.Errors, r.Calls, r.Amplification())
		}
	})
}

func TestRecovered(t *testing.T) {
	r := &sim.Result{Period: second}
	for i := range 20 {
		m := sim.Moment{Began: 10, Well: 10, P99: 10 * ms}
		switch {
		case i >= 5 && i < 8:
			m.Failed = 1
		case i == 10:
			m.P99 = 16 * ms
		case i == 11:
			m.P99 = 14 * ms
		}
		r.Course = append(r.Course, m)
	}
	if after, ok := r.Recovered(5*second, 8*second); !ok || after != 3*second {
		t.Errorf("it took %v (%v), want the three seconds until the last p99 that was not normal", after, ok)
	}
	r.Course[19].Failed = 1
	if after, ok := r.Recovered(5*second, 8*second); ok {
		t.Errorf("it took %v, although a call fails in the end", after)
	}
}

func TestOraclesHaveLimits(t *testing.T) {
	for name, p := range map[string]sim.Plan{"heeds": changed(troubled(), heeds), "chain": chain(sim.Condition{})} {
		if _, err := sim.Run(p, subjects()["p2c-oracle"], 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := sim.Run(troubled(), policy(balancer.Random{}), 1); err != nil {
		t.Error(err)
	}
}
