package sim_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
)

// numbers reads any numbers from bytes: small ones, large ones, negative ones, none.
type numbers []byte

func (n *numbers) next() uint64 {
	var word [8]byte
	*n = (*n)[copy(word[:], *n):]
	return binary.LittleEndian.Uint64(word[:])
}

// whole is mostly a number below most, and now and then any.
func (n *numbers) whole(most int) int {
	x := n.next()
	if x>>53 == 2047 {
		return int(x)
	}
	return int(x % uint64(most))
}

func (n *numbers) real(most float64) float64 {
	x := n.next()
	if x>>53 == 2047 {
		return math.Float64frombits(x << 3)
	}
	return float64(x>>11) / (1 << 53) * most
}

func (n *numbers) time(most time.Duration) time.Duration { return time.Duration(n.whole(int(most))) }

func (n *numbers) flag() bool { return n.next()&1 == 1 }

func (n *numbers) condition() sim.Condition {
	return sim.Condition{Slow: 0.1 + n.real(20), Fails: n.real(1), Loses: n.real(1), Stalls: n.real(1), StallsBy: n.real(30), Hangs: n.flag(), Down: n.flag()}
}

func (n *numbers) spell() sim.Spell {
	return sim.Spell{Every: second/10 + n.time(second), For: n.time(second / 10), Slow: n.real(10)}
}

func (n *numbers) plan() sim.Plan {
	names, zones := []string{"a", "b", "c", ""}, []string{"", "x", "y"}
	p := sim.Plan{
		Length: n.time(3 * second), Warmup: n.time(second), Clients: n.whole(8), Keys: n.whole(100), Timeout: n.time(second), Idempotent: n.flag(),
		Work: sim.Work{Mean: n.time(20 * time.Millisecond), Shape: sim.Shape(n.whole(4)), Sigma: n.real(3), Share: n.real(1), Times: 1 + n.real(20)},
		Traffic: sim.Traffic{
			Load: n.real(2), Steps: []sim.Step{{At: n.time(second), Load: n.real(3)}}, Bursts: sim.Bursts{Every: n.time(second), For: n.time(second), Times: n.real(5)},
			Day: sim.Day{Length: n.time(second), Low: n.real(1)},
		},
		Network: sim.Network{Near: n.time(5 * time.Millisecond), Far: n.time(5 * time.Millisecond)},
		Lists:   sim.Lists{Delay: n.time(second), Lease: n.time(second), StaleFrom: n.time(second), StaleUntil: n.time(2 * second)},
	}
	p.Retry.MaxAttempts = n.whole(6)
	p.Budget.Ratio = n.real(1)
	if n.flag() {
		p.Zones = zones[:1+n.next()%3]
	}
	if n.flag() {
		p.Traffic.Closed = sim.Closed{Callers: n.whole(5), Think: n.time(second)}
	}
	for range 1 + n.next()%3 {
		p.Fleet = append(p.Fleet, sim.Class{
			Name: names[n.next()%3], Count: n.whole(5), Zone: zones[n.next()%3], Workers: n.whole(4), Limit: n.whole(10), Weight: n.whole(300), From: n.time(second) * time.Duration(n.next()&1),
			Condition: n.condition(), Pauses: n.spell(), Neighbours: n.spell(), Bad: n.flag(),
		})
	}
	// known is mostly the name of a class.
	known := func() string {
		if x := n.next(); x%32 > 0 {
			return p.Fleet[x>>32%uint64(len(p.Fleet))].Name
		}
		return names[n.next()%4]
	}
	for range n.next() % 4 {
		p.Changes = append(p.Changes, sim.Change{At: n.time(3 * second), Class: known(), To: n.condition()})
	}
	if n.flag() {
		p.Deploys = []sim.Deploy{{Class: known(), At: n.time(second), Every: n.time(second), Drain: n.time(second)}}
	}
	if n.flag() {
		p.Scaler = sim.Scaler{Class: known(), Every: n.time(second), Delay: n.time(second), Target: n.real(1), Least: n.whole(5), Most: n.whole(10)}
	}
	p.Retry.AttemptTimeout, p.Retry.On, p.Heeds = n.time(second)*time.Duration(n.next()&1), retry.Condition(n.whole(32)), n.flag()
	if n.flag() {
		p.Hedge = &retry.HedgeConfig{Percentile: n.real(1), Delay: n.time(second / 10), MinDelay: n.time(second / 10), MaxExtra: n.real(1)}
	}
	if n.flag() {
		p.Shared = &retry.BudgetConfig{Ratio: n.real(1), MinPerSecond: n.real(100)}
	}
	for i := range p.Fleet {
		p.Fleet[i].RetryAfter = n.time(second)
	}
	if n.flag() {
		p.Traffic.Shares = sim.Shares{n.real(1), n.real(1), n.real(1)}
	}
	if n.flag() {
		p.Limits.Throttle = &ratelimit.ThrottleConfig{K: 1 + n.real(3), Window: second + n.time(5*second), MaxReject: n.real(1)}
	}
	if n.flag() {
		p.Limits.Rate = &ratelimit.RateConfig{Rate: n.real(1000), Burst: n.whole(50)}
	}
	if n.flag() {
		p.Limits.Instance = &ratelimit.AdaptiveConfig{Min: n.whole(5), Initial: n.whole(20)}
	}
	for i := range p.Fleet {
		if n.next()%4 == 0 {
			p.Heeds = false
			p.Fleet[i].Admission = sim.Admission{Concurrency: &ratelimit.ConcurrencyConfig{Max: n.whole(20)}, Deadlines: n.flag(), Refusal: n.real(0.1)}
		}
	}
	if n.next()%4 == 0 && p.Calls() < 2000 { // else most plans were refused, for what chains have none of
		p.Heeds, p.Deploys, p.Scaler = false, nil, sim.Scaler{}
		for i := range p.Fleet {
			p.Fleet[i].Admission = sim.Admission{}
			p.Fleet[i].Hop, p.Fleet[i].From = i, 0
		}
	}
	return p
}

// A plan of any numbers is refused, or played to its end with figures that make
// sense.
func FuzzPlans(f *testing.F) {
	f.Add(uint64(0), uint8(0), []byte{})
	all := subjects()
	names := []string{"round-robin", "random", "weighted", "least-request", "p2c-ewma", "prequal", "ring-hash", "maglev", "shortest-queue", "central-queue", "p2c-oracle"}
	seeds := uint64(200)
	if underRace {
		seeds = 20
	}
	for seed := range seeds {
		bytes := make([]byte, 1000)
		for i := range len(bytes) / 8 {
			x := (seed*1000 + uint64(i) + 1) * 0x9e3779b97f4a7c15
			binary.LittleEndian.PutUint64(bytes[8*i:], (x^x>>29)*0xbf58476d1ce4e5b9)
		}
		f.Add(seed, uint8(seed), bytes)
	}
	f.Fuzz(func(t *testing.T, seed uint64, which uint8, data []byte) {
		n := numbers(data)
		p := n.plan()
		if p.Length > 100*second || p.Calls() > 50_000 || p.Clients > 100 || len(p.Fleet) > 0 && p.Fleet[0].Count > 1000 {
			return // it would take minutes
		}
		r, err := sim.Run(p, all[names[int(which)%len(names)]], seed)
		if err != nil {
			return
		}
		bad, _ := r.BadShare()
		for name, f := range map[string]float64{"errors": r.ErrorShare(), "max over mean": r.MaxOverMean(), "bad share": bad, "attempts": r.AttemptsPerCall()} {
			if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
				t.Errorf("%s is %v", name, f)
			}
		}
		if r.Errors < 0 || r.Errors > r.Calls || r.Calls > r.Played {
			t.Errorf("%d calls were played, %d count, %d failed", r.Played, r.Calls, r.Errors)
		}
		if most := int64(p.Retry.Most())*r.Calls + r.Hedges; r.Attempts > most {
			t.Errorf("%d attempts of %d calls, at most %d are allowed", r.Attempts, r.Calls, most)
		}
		for i := range r.Ranks {
			if one := &r.Ranks[i]; one.All() > one.Calls || one.Latency.Count() != one.Well {
				t.Errorf("of %d calls of a priority %d ended, %d of them well", one.Calls, one.All(), one.Well)
			}
		}
		for hop, n := range r.Hops {
			if n.Attempts != n.Executions+n.Refused+n.Full+n.Unbegun || n.HedgesWon > n.Hedges || n.Stopped > n.Executions {
				t.Errorf("hop %d: %+v", hop, n)
			}
		}
	})
}
