package sim_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// ranked gives calls priorities.
func ranked(p *sim.Plan) { p.Traffic.Shares = sim.Shares{0.5, 0.3, 0.2} }

func clientLimits(p *sim.Plan) {
	p.Limits = sim.Limits{Throttle: &ratelimit.ThrottleConfig{}, Rate: &ratelimit.RateConfig{Rate: 1000}, Instance: &ratelimit.AdaptiveConfig{Min: 1, Initial: 4}}
}

func admission(p *sim.Plan) {
	for i := range p.Fleet {
		p.Fleet[i].Admission = sim.Admission{Concurrency: &ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{}}, Deadlines: true}
	}
}

// fixed lets as many calls in as are worked on, and as many as wait.
func fixed(p *sim.Plan) {
	for i := range p.Fleet {
		p.Fleet[i].Admission = sim.Admission{Concurrency: &ratelimit.ConcurrencyConfig{Max: 4 * p.Fleet[i].Workers}}
	}
}

// crowded is a world of which nothing is known but that too much comes.
func crowded() sim.Plan {
	p := small()
	p.Traffic.Load, p.Fleet = 3, p.Fleet[:1]
	return p
}

func TestPrioritiesAreShares(t *testing.T) {
	p := small()
	p.Length, p.Traffic.Shares = 100*second, sim.Shares{2.0 / 8, 1.0 / 8, 1.0 / 8}
	r := play(t, p)
	for i, want := range []float64{0.5, 0.25, 0.25} {
		if got := float64(r.Ranks[i].Calls) / float64(r.Calls); math.Abs(got-want) > 0.01 {
			t.Errorf("priority %d is %.3f of the calls, want %.3f", i, got, want)
		}
	}
	if r = play(t, small()); r.Ranks[ratelimit.Default.Index()].Calls != r.Calls {
		t.Errorf("of %d calls of which nothing is said %d have the default", r.Calls, r.Ranks[ratelimit.Default.Index()].Calls)
	}
}

// Priorities are drawn from a source of their own, and change nothing by themselves.
func TestPrioritiesChangeNothingElse(t *testing.T) {
	one, other := play(t, crowded()), play(t, changed(crowded(), ranked))
	if one.Calls != other.Calls || one.Errors != other.Errors || !reflect.DeepEqual(one.Latency, other.Latency) {
		t.Errorf("of %d calls %d fail, of %d with priorities %d", one.Calls, one.Errors, other.Calls, other.Errors)
	}
}

func TestAdmission(t *testing.T) {
	for _, tt := range []struct {
		name     string
		one, two sim.Plan
		want     func(one, two *sim.Result) bool
	}{
		{"who refuses is not late", crowded(), changed(crowded(), fixed), func(one, two *sim.Result) bool {
			return one.Goodput(5*second, 20*second) < 0.1 && two.Goodput(5*second, 20*second) > 0.9 && two.Full > 0
		}},
		{"refusals cost work", changed(crowded(), fixed), changed(crowded(), fixed, func(p *sim.Plan) { p.Fleet[0].Admission.Refusal = 0.2 }), func(one, two *sim.Result) bool {
			// 2 are refused where 1 is served: two hundredths of the work, and then 0.44:
			// g + 0.2 × (3 - g) = 1.
			a, b := one.Goodput(5*second, 20*second), two.Goodput(5*second, 20*second)
			return math.Abs(a-0.98) < 0.02 && math.Abs(b-0.5) < 0.02
		}},
		{"who is sent away asks for a second", changed(crowded(), fixed, again), changed(crowded(), fixed, again, func(p *sim.Plan) { p.Timeout = 3 * second }),
			func(one, two *sim.Result) bool { return one.Retries == 0 && two.Retries > 0 }},
		{"who has no time left is refused", hasty(), changed(hasty(), func(p *sim.Plan) { p.Fleet[0].Admission.Deadlines = true }),
			func(one, two *sim.Result) bool {
				return one.Retries > 100 && one.Full == 0 && two.Full > two.Retries/2 // one a second passes, at each
			}},
		{"a crash frees all places", changed(crowded(), fixed), changed(crowded(), fixed, func(p *sim.Plan) {
			p.Changes = []sim.Change{{At: 8 * second, Class: "well", To: sim.Condition{Down: true}}, {At: 9 * second, Class: "well"}}
		}), func(one, two *sim.Result) bool {
			return two.Goodput(8*second, 9*second) == 0 && two.Goodput(12*second, 20*second) > 0.9
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := play(t, tt.one), play(t, tt.two)
			if !tt.want(one, two) {
				for _, r := range []*sim.Result{one, two} {
					t.Errorf("goodput %.3f, %d calls, %d errors, %+v", r.Goodput(5*second, 20*second), r.Calls, r.Errors, r.Tally)
				}
			}
		})
	}
}

// hasty is a world in which calls that are made again have less time left than any
// takes.
func hasty() sim.Plan {
	p := changed(small(), again)
	p.Fleet = p.Fleet[:1]
	p.Work, p.Timeout, p.Traffic.Load = sim.Work{Shape: sim.Constant, Mean: 50 * ms}, 100*ms, 0.1
	p.Fleet[0].Workers, p.Fleet[0].Fails, p.Fleet[0].RetryAfter = 20, 0.2, 60*ms
	return p
}

func again(p *sim.Plan) { p.Idempotent, p.Retry.On = true, everything }

func TestLimitsOfClients(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan sim.Plan
		want func(*sim.Result) bool
	}{
		{"nothing is withheld where all is well", changed(small(), clientLimits), func(r *sim.Result) bool { return r.Withheld == 0 && r.Errors == 0 }},
		{"a rate is that of each client", changed(small(), func(p *sim.Plan) { p.Limits.Rate = &ratelimit.RateConfig{Rate: 100, Burst: 1} }), func(r *sim.Result) bool {
			// 500 calls a second come by chance to three clients, who may each send 100.
			sent := float64(r.Attempts) / 15
			return sent > 150 && sent < 301 && r.Withheld == r.Calls-r.Attempts
		}},
		{"who is refused sends less", changed(crowded(), fixed, func(p *sim.Plan) { p.Limits.Throttle = &ratelimit.ThrottleConfig{} }), func(r *sim.Result) bool {
			return r.Withheld > r.Calls/5 && r.Ranks[ratelimit.Default.Index()].Withheld == r.Withheld
		}},
		{"instances have as many calls as their clients let them", changed(crowded(), func(p *sim.Plan) {
			p.Limits.Instance = &ratelimit.AdaptiveConfig{Min: 1, Max: 1, Initial: 1}
		}), func(r *sim.Result) bool {
			// Three clients, one call each: at an instance of two workers one waits at most.
			return r.Withheld > r.Calls/3 && r.Latency.Quantile(0.999) < 150*ms && r.Errors == r.Withheld
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := play(t, tt.plan); !tt.want(r) {
				t.Errorf("%d calls, %d errors, p99.9 %v, %+v", r.Calls, r.Errors, r.Latency.Quantile(0.999), r.Tally)
			}
		})
	}
	if _, err := sim.Run(changed(small(), clientLimits), subjects()["p2c-oracle"], 1); err == nil {
		t.Error("an oracle knows limits of clients")
	}
}

// The published formula: where a service accepts as much as it can, K times that much
// reaches it, however much more there is to send and however many send it.
func TestThrottlingSettles(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it plays two million calls")
	}
	for _, k := range []float64{1.5, 2} {
		for _, clients := range []int{1, 10, 100} {
			for _, demand := range []float64{2, 3, 10} {
				p := sim.Plan{
					Length: 40 * second, Warmup: 20 * second, Clients: clients, Timeout: second, Traffic: sim.Traffic{Load: demand},
					Fleet: []sim.Class{{Name: "all", Count: 1, Workers: 20}},
				}
				fixed(&p)
				p.Limits.Throttle = &ratelimit.ThrottleConfig{K: k}
				r, err := sim.Run(p, sim.Subject{Policy: balancer.P2CEWMA{}}, 1)
				if err != nil {
					t.Fatal(err)
				}
				seconds := time.Duration(p.Length - p.Warmup).Seconds()
				reaching := float64(r.Attempts) / seconds / r.Capacity
				t.Logf("K %g, %d clients, demand %g: %.3f of the capacity reaches the server, which does %.3f", k, clients, demand, reaching, r.Goodput(p.Warmup, p.Length))
				if math.Abs(reaching-k) > 0.05*k {
					t.Errorf("want %g, within 5 %%", k)
				}
			}
		}
	}
}
