package sim_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/bound"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
)

const second = time.Second

// play plays a plan for the default policy.
func play(t *testing.T, p sim.Plan) *sim.Result {
	t.Helper()
	return playFor(t, p, policy(balancer.P2CEWMA{}))
}

func playFor(t *testing.T, p sim.Plan, s sim.Subject) *sim.Result {
	t.Helper()
	r, err := sim.Run(p, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// small is a world in which nothing happens.
func small() sim.Plan {
	return sim.Plan{
		Length: 20 * second, Warmup: 5 * second, Clients: 3, Timeout: second,
		Traffic: sim.Traffic{Load: 0.5},
		Fleet:   []sim.Class{{Name: "well", Count: 4, Workers: 2}, {Name: "other", Count: 1, Workers: 2, Bad: true}},
	}
}

// eventful is one in which everything does.
func eventful() sim.Plan {
	p := small()
	p.Zones, p.Idempotent = []string{"a", "b"}, true
	p.Network.Far = 2 * time.Millisecond
	p.Fleet[0].Zone, p.Fleet[0].Limit = "a", 30
	p.Fleet[0].Pauses = sim.Spell{Every: second, For: 20 * time.Millisecond}
	p.Fleet[1].Neighbours = sim.Spell{Every: second, For: 200 * time.Millisecond, Slow: 3}
	p.Fleet = append(p.Fleet, sim.Class{Name: "late", Count: 2, Workers: 2, From: 7 * second, Zone: "b"})
	p.Traffic.Bursts = sim.Bursts{Every: 3 * second, For: second, Times: 2}
	p.Lists = sim.Lists{Delay: second / 2, Lease: 2 * second, StaleFrom: 8 * second, StaleUntil: 9 * second}
	p.Changes = []sim.Change{
		{At: 6 * second, Class: "other", To: sim.Condition{Fails: 0.5}},
		{At: 9 * second, Class: "other", To: sim.Condition{Hangs: true}},
		{At: 12 * second, Class: "other", To: sim.Condition{Down: true}},
	}
	p.Deploys = []sim.Deploy{{Class: "well", At: 5 * second, Every: second, Drain: second / 2}}
	p.Scaler = sim.Scaler{Class: "late", Every: second, Delay: second, Target: 0.6, Least: 1, Most: 5}
	return p
}

func subjects() map[string]sim.Subject {
	return map[string]sim.Subject{
		"round-robin":    policy(balancer.RoundRobin{}),
		"random":         policy(balancer.Random{}),
		"weighted":       {Policy: balancer.WeightedRoundRobin{Reported: true}, Reports: true},
		"least-request":  policy(balancer.LeastRequest{}),
		"p2c-ewma":       policy(balancer.P2CEWMA{}),
		"prequal":        {Policy: balancer.Prequal{}, Reports: true},
		"ring-hash":      policy(balancer.RingHash{}),
		"maglev":         policy(balancer.Maglev{}),
		"shortest-queue": {Oracle: bound.ShortestQueue{}},
		"central-queue":  {Oracle: bound.CentralQueue{}},
		"p2c-oracle":     {Oracle: bound.P2COracle{}},
	}
}

func TestTheSameSeedGivesTheSameResult(t *testing.T) {
	for name, s := range subjects() {
		t.Run(name, func(t *testing.T) {
			first, second := playFor(t, eventful(), s), playFor(t, eventful(), s)
			if !reflect.DeepEqual(first, second) {
				t.Errorf("p99 %v and %v, errors %d and %d, attempts %d and %d", first.Latency.Quantile(0.99), second.Latency.Quantile(0.99),
					first.Errors, second.Errors, first.Attempts, second.Attempts)
			}
			other, err := sim.Run(eventful(), s, 2)
			if err != nil {
				t.Fatal(err)
			}
			if reflect.DeepEqual(first, other) {
				t.Error("another seed gives it, too")
			}
		})
	}
}

func TestCallsComeAlikeWhateverThePolicy(t *testing.T) {
	one := playFor(t, eventful(), policy(balancer.RoundRobin{}))
	for name, s := range subjects() {
		if other := playFor(t, eventful(), s); other.Played != one.Played || other.Calls != one.Calls {
			t.Errorf("%s got %d calls of which %d count, round-robin %d and %d", name, other.Played, other.Calls, one.Played, one.Calls)
		}
	}
}

// What an answer's only event stands for must be what several would find.
func TestEventsInDetailChangeNothing(t *testing.T) {
	short := playFor(t, small(), policy(balancer.P2CEWMA{}))
	p := small()
	p.Fleet[0].Limit, p.Fleet[1].Limit = 1_000_000, 1_000_000 // so that somebody counts
	detailed := playFor(t, p, policy(balancer.P2CEWMA{}))
	if !reflect.DeepEqual(short, detailed) {
		t.Errorf("p99 %v and %v in detail", short.Latency.Quantile(0.99), detailed.Latency.Quantile(0.99))
	}
}

func TestWhatHappens(t *testing.T) {
	with := func(change func(*sim.Plan)) sim.Plan {
		p := small()
		change(&p)
		return p
	}
	other := func(c sim.Condition) func(*sim.Plan) {
		return func(p *sim.Plan) { p.Changes = []sim.Change{{At: 10 * second, Class: "other", To: c}} }
	}
	for _, tt := range []struct {
		name string
		plan sim.Plan
		want func(*sim.Result) bool
	}{
		{"nothing", small(), func(r *sim.Result) bool { return r.Errors == 0 && r.Attempts == r.Calls && r.Connections == 15 }},
		{"a slow one is left alone", with(other(sim.Condition{Slow: 20})), func(r *sim.Result) bool {
			share, ok := r.BadShare()
			return ok && share < 0.6
		}},
		{"errors are passed on", with(other(sim.Condition{Fails: 1})), func(r *sim.Result) bool { return r.Errors > 0 && r.Attempts == r.Calls }},
		{"lost connections are tried again", with(func(p *sim.Plan) {
			other(sim.Condition{Loses: 1})(p)
			p.Idempotent = true
		}), func(r *sim.Result) bool { return r.Errors == 0 && r.Attempts > r.Calls }},
		{"who may not be called twice is not", with(other(sim.Condition{Loses: 1})), func(r *sim.Result) bool { return r.Errors > 0 && r.Attempts == r.Calls }},
		{"one that hangs costs the timeout", with(other(sim.Condition{Hangs: true})), func(r *sim.Result) bool { return r.Errors > 0 }},
		{"a crash fails what is under way", with(func(p *sim.Plan) {
			other(sim.Condition{Down: true})(p)
			p.Lists.Lease = 2 * second
			p.Traffic.Load = 0.7 // so that some are under way
		}), func(r *sim.Result) bool {
			return r.Errors > 0 && r.Errors < 20 && r.Attempts > r.Calls && r.Connections == 15-3
		}},
		{"a deploy is not noticed", with(func(p *sim.Plan) {
			p.Deploys = []sim.Deploy{{Class: "well", At: 6 * second, Every: 2 * second, Drain: 2 * second}}
		}), func(r *sim.Result) bool { return r.Errors == 0 && len(r.Instances) == 9 && r.Connections == 15 }},
		{"overload is refused by limits", with(func(p *sim.Plan) { p.Traffic.Load, p.Fleet[0].Limit, p.Fleet[1].Limit = 2, 4, 4 }), func(r *sim.Result) bool {
			return r.ErrorShare() > 0.45 && r.ErrorShare() < 0.65 && r.Latency.Quantile(0.999) < second/4
		}},
		{"without limits it times out", with(func(p *sim.Plan) { p.Traffic.Load = 2 }), func(r *sim.Result) bool { return r.ErrorShare() > 0.9 }},
		{"an autoscaler follows", with(func(p *sim.Plan) {
			p.Traffic.Load = 1.5
			p.Timeout = 0
			p.Scaler = sim.Scaler{Class: "well", Every: second, Delay: second, Target: 0.6, Least: 1, Most: 20}
		}), func(r *sim.Result) bool { return len(r.Instances) > 10 && r.Latency.Quantile(0.5) < second/2 }},
		{"whoever waits for answers is not an open loop", with(func(p *sim.Plan) {
			p.Traffic = sim.Traffic{Closed: sim.Closed{Callers: 10, Think: 90 * time.Millisecond}}
		}), func(r *sim.Result) bool {
			rate := float64(r.Calls) / 15 // 30 callers, about ten calls a second each
			return rate > 240 && rate < 310
		}},
		{"bursts", with(func(p *sim.Plan) { p.Traffic.Bursts = sim.Bursts{Every: 2 * second, For: second, Times: 3} }), func(r *sim.Result) bool {
			rate := float64(r.Calls) / 15
			return rate > 480*2 && rate < 520*2
		}},
		{"a day", with(func(p *sim.Plan) { p.Traffic.Day = sim.Day{Length: 5 * second} }), func(r *sim.Result) bool {
			rate := float64(r.Calls) / 15 // half of what comes at noon
			return rate > 235 && rate < 265
		}},
		{"steps", with(func(p *sim.Plan) { p.Traffic.Steps = []sim.Step{{At: 10 * second, Load: 0.1}, {At: 15 * second}} }), func(r *sim.Result) bool {
			return r.Calls > 2800 && r.Calls < 3200 // five seconds of 500, five of 100, and none
		}},
		{"far away", with(func(p *sim.Plan) {
			p.Zones, p.Network.Far = []string{"b"}, 50*time.Millisecond
			p.Fleet[0].Zone, p.Fleet[1].Zone = "a", "a"
		}), func(r *sim.Result) bool { return r.Latency.Quantile(0.01) > 100*time.Millisecond }},
		{"a deploy that nobody hears of in time", with(func(p *sim.Plan) {
			p.Deploys = []sim.Deploy{{Class: "well", At: 6 * second, Every: 2 * second, Drain: 2 * second}}
			p.Lists.StaleFrom, p.Lists.StaleUntil = 5*second, 10*second
		}), func(r *sim.Result) bool { return r.Attempts > r.Calls && r.ErrorShare() < 0.001 }},
		{"nobody there", with(func(p *sim.Plan) { p.Fleet[0].From, p.Fleet[1].Condition = 30*second, sim.Condition{Slow: 1e6} }), func(r *sim.Result) bool { return r.Calls == 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := play(t, tt.plan)
			if !tt.want(r) {
				share, _ := r.BadShare()
				t.Errorf("%d calls, %d errors, %d attempts, %d connections, %d instances, bad share %.2f, p50 %v, p99 %v", r.Calls, r.Errors, r.Attempts,
					r.Connections, len(r.Instances), share, r.Latency.Quantile(0.5), r.Latency.Quantile(0.99))
			}
		})
	}
}

func TestShapesOfWorkHaveTheirMean(t *testing.T) {
	for name, w := range map[string]sim.Work{
		"exponential": {},
		"constant":    {Shape: sim.Constant},
		"lognormal":   {Shape: sim.Lognormal, Sigma: 0.8},
		"bimodal":     {Shape: sim.Bimodal},
		"recorded":    {Recorded: []time.Duration{5 * time.Millisecond, 15 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			p := small()
			p.Work, p.Traffic.Load, p.Length = w, 0.02, 2000*second
			p.Network.Near = 1
			p.Fleet = []sim.Class{{Name: "all", Count: 5, Workers: 2}}
			if got := play(t, p).Latency.Mean().Seconds(); math.Abs(got-0.010) > 0.0003 {
				t.Errorf("the mean is %.5f s, want 0.010", got)
			}
		})
	}
}

func TestBadPlansAreRefused(t *testing.T) {
	nan := math.NaN()
	for name, tt := range map[string]struct {
		change func(*sim.Plan)
		field  string
	}{
		"no fleet":         {func(p *sim.Plan) { p.Fleet = nil }, "Fleet"},
		"negative count":   {func(p *sim.Plan) { p.Fleet[0].Count = -1 }, "Count"},
		"load is NaN":      {func(p *sim.Plan) { p.Traffic.Load = nan }, "Traffic.Load"},
		"slow is infinite": {func(p *sim.Plan) { p.Fleet[0].Slow = math.Inf(1) }, "Slow"},
		"unknown class":    {func(p *sim.Plan) { p.Changes = []sim.Change{{Class: "none"}} }, "Changes[0].Class"},
		"hangs forever": {func(p *sim.Plan) {
			p.Timeout = 0
			p.Fleet[0].Hangs = true
		}, "Timeout"},
		"too long":         {func(p *sim.Plan) { p.Length = 10000 * time.Hour }, "Length"},
		"too many calls":   {func(p *sim.Plan) { p.Length, p.Work.Mean = time.Hour, time.Microsecond }, "the calls that come"},
		"a bad policy":     {func(p *sim.Plan) { p.Balancing.PanicThreshold = 2 }, "PanicThreshold"},
		"a bad hedge":      {func(p *sim.Plan) { p.Hedge = &retry.HedgeConfig{Percentile: 2} }, "Percentile"},
		"a bad parent":     {func(p *sim.Plan) { p.Shared = &retry.BudgetConfig{Ratio: 2} }, "Ratio"},
		"a hop is missing": {func(p *sim.Plan) { p.Fleet[1].Hop = 2 }, "Hop"},
		"hops that heed":   {func(p *sim.Plan) { p.Fleet[1].Hop, p.Heeds = 1, true }, "Heeds"},
		"hops that come":   {func(p *sim.Plan) { p.Fleet[1].Hop, p.Fleet[1].From = 1, second }, "Fleet[1].From"},
		"a bad throttle":   {func(p *sim.Plan) { p.Limits.Throttle = &ratelimit.ThrottleConfig{K: 1} }, "ThrottleConfig.K"},
		"a bad rate":       {func(p *sim.Plan) { p.Limits.Rate = &ratelimit.RateConfig{} }, "RateConfig.Rate"},
		"a bad limit":      {func(p *sim.Plan) { p.Limits.Instance = &ratelimit.AdaptiveConfig{Min: 9, Max: 3} }, "AdaptiveConfig.Max"},
		"a bad admission":  {func(p *sim.Plan) { p.Fleet[1].Admission.Concurrency = &ratelimit.ConcurrencyConfig{} }, "ConcurrencyConfig.Max"},
		"waiting for a place": {func(p *sim.Plan) {
			p.Fleet[1].Admission.Concurrency = &ratelimit.ConcurrencyConfig{Max: 1, MaxWait: second}
		}, "Concurrency.MaxWait"},
		"refusing is more than work": {func(p *sim.Plan) { p.Fleet[1].Admission.Refusal = 2 }, "Refusal"},
		"admission of who heeds":     {func(p *sim.Plan) { p.Heeds, p.Fleet[1].Admission.Deadlines = true, true }, "Fleet[1].Admission"},
		"admission of hops":          {func(p *sim.Plan) { p.Fleet[1].Hop, p.Fleet[1].Admission.Deadlines = 1, true }, "Fleet[1].Admission"},
		"shares are no shares":       {func(p *sim.Plan) { p.Traffic.Shares[1] = -1 }, "Traffic.Shares[1]"},
		"too many clients":           {func(p *sim.Plan) { p.Clients, p.Fleet[0].Count = 100_000, 10_000 }, "Clients"},
	} {
		t.Run(name, func(t *testing.T) {
			p := small()
			tt.change(&p)
			if _, err := sim.Run(p, policy(nil), 1); err == nil || !strings.Contains(err.Error(), tt.field) {
				t.Errorf("got %v, want an error about %s", err, tt.field)
			}
		})
	}
}
