package balancer_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// The choice between two nodes, a and b, that are prepared by each case.
func TestP2CEWMAChoosesTheCheaper(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		// prepare gives the nodes their history, up to start.
		prepare func(a, b *balancer.Node)
		after   time.Duration // that the choice is made
		a       func(share float64) bool
	}{
		{"the faster", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, 2*ms, start)
		}, 0, always},
		{"half the latency but twice the calls is the same", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, 2*ms, start)
			hold(a, 1, start)
		}, 0, evenly},
		{"the slower once the faster has more calls than that", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, 2*ms, start)
			hold(a, 2, start)
		}, 0, never},
		{"differences below an eighth say nothing", func(a, b *balancer.Node) {
			took(a, 1000*time.Microsecond, start)
			took(b, 1100*time.Microsecond, start)
		}, 0, evenly},
		{"differences above an eighth do", func(a, b *balancer.Node) {
			took(a, 1000*time.Microsecond, start)
			took(b, 1200*time.Microsecond, start)
		}, 0, always},

		{"without history: like the other", func(_, b *balancer.Node) {
			took(b, 100*ms, start)
		}, 0, evenly},
		{"without history: like the other, per outstanding call", func(a, b *balancer.Node) {
			took(b, 100*ms, start)
			hold(a, 1, start)
		}, 0, never},
		{"both without history: alike", func(*balancer.Node, *balancer.Node) {}, 0, evenly},
		{"both without history: fewer calls", func(_, b *balancer.Node) {
			hold(b, 1, start)
		}, 0, always},

		{"a slow node is dear while the memory is fresh", func(a, b *balancer.Node) {
			took(a, 100*ms, start)
			took(b, ms, start+5*time.Second)
		}, 5 * time.Second, never},
		{"a slow node comes to its peers' level when idle", func(a, b *balancer.Node) {
			took(a, 100*ms, start)
			took(b, ms, start+100*time.Second)
		}, 100 * time.Second, evenly},
		{"idle: a node is no cheaper than its peer, ever", func(a, b *balancer.Node) {
			took(a, 100*ms, start)
			took(b, ms, start+30*time.Hour)
			hold(a, 1, start)
		}, 30 * time.Hour, never},
		{"idle: a fast node is no cheaper than a slow peer, in the end", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, 100*ms, start+100*time.Second)
			hold(a, 1, start)
		}, 100 * time.Second, never},
		{"both idle: they meet at their mean", func(a, b *balancer.Node) {
			took(a, 100*ms, start)
			took(b, ms, start)
		}, 10 * time.Minute, evenly},

		{"failures cost", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, ms, start)
			a.Start(start).Done(start+ms, balancer.Failure)
		}, ms, never},
		{"failures cost more the more there are", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, ms, start)
			hold(b, 9, start)
			for range 20 {
				a.Start(start).Done(start+ms, balancer.Failure)
			}
		}, ms, never},
		{"what refuses everything at once looks no better than the busiest", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, ms, start)
			hold(b, 500, start)
			for range 1000 {
				a.Start(start).Done(start+ms, balancer.Failure)
			}
		}, ms, never},
		{"failures cost at most 1024 times", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, ms, start)
			hold(b, 1024, start)
			for range 1000 {
				a.Start(start).Done(start+ms, balancer.Failure)
			}
		}, ms, always},
		{"failures are forgotten when idle", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, ms, start+time.Minute)
			for range 20 {
				a.Start(start).Done(start+ms, balancer.Failure)
			}
		}, time.Minute, evenly},
		{"a fast failure makes nobody look fast", func(a, b *balancer.Node) {
			took(a, 10*ms, start)
			took(b, 10*ms, start)
			a.Start(start).Done(start+time.Microsecond, balancer.Failure)
		}, 0, never},
		{"a node that only ever failed does not look fast", func(a, b *balancer.Node) {
			took(b, 100*ms, start)
			a.Start(start).Done(start+time.Microsecond, balancer.Failure)
		}, 0, never},

		{"as dear as the oldest call has waited", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, 900*ms, start+time.Second)
			a.Start(start)
			hold(b, 1, start)
		}, time.Second, never},
		{"not dearer than that", func(a, b *balancer.Node) {
			took(a, ms, start)
			took(b, 1100*ms, start+time.Second)
			a.Start(start)
			hold(b, 1, start)
		}, time.Second, always},
		{"a stream's age does not count", func(a, b *balancer.Node) {
			took(a, ms, start+time.Second)
			took(b, 2*ms, start+time.Second)
			a.StartStream(start)
			hold(b, 1, start)
		}, time.Second, always},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nodes := newNodes(t, 2)
			tt.prepare(nodes[0], nodes[1])
			if got := share(balancer.P2CEWMA{}, nodes, start+tt.after)[nodes[0]]; !tt.a(got) {
				t.Errorf("a has a share of %.3f; a is %+v, b is %+v", got,
					nodes[0].Stats(start+tt.after), nodes[1].Stats(start+tt.after))
			}
		})
	}
}

// Trap 29, the cold node that looks best: ten nodes of which one has no data,
// and 300 calls of which none ends.
func TestTrap29ANodeWithoutHistoryGetsAFairShare(t *testing.T) {
	nodes := newNodes(t, 10)
	for _, n := range nodes[1:] {
		took(n, 20*time.Millisecond, start)
	}
	picker := balancer.P2CEWMA{}.Picker(balancer.Among(nodes...))
	bits := rand.New(rand.NewPCG(5, 6))
	for i := range 300 {
		now := start + time.Duration(i)*time.Microsecond
		picker.Pick(balancer.Request{Now: now, Rand: bits.Uint64()}).Start(now)
	}
	if got := nodes[0].Outstanding(); got < 20 || got > 40 {
		t.Errorf("the node without history has %d of 300 calls, a fair share is 30", got)
	}
}

func TestAFreshNodeTakesItsShareAtOnce(t *testing.T) {
	pool := balancing(t, balancer.Balancing{SlowStart: balancer.SlowStart{Off: true}})
	pool.Update(fixture.Snapshot("orders", 9), start)
	w := newTraffic(pool, 1000)
	w.run(5 * time.Second)
	pool.Update(fixture.Snapshot("orders", 10), w.now)
	got := w.run(2 * time.Second)["i00009"]
	if got < 100 || got > 400 {
		t.Errorf("the new instance got %d of 2000 calls, a fair share is 200", got)
	}
}

func TestASlowInstanceLosesItsShare(t *testing.T) {
	pool := newPool(t, nil)
	pool.Update(fixture.Snapshot("orders", 3), start)
	w := newTraffic(pool, 300)
	w.run(5 * time.Second)
	w.serve = func(n *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result) {
		d, r := healthy(n, bits)
		if n.ID() == "i00001" {
			d *= 10
		}
		return d, r
	}
	w.run(time.Second)
	if got := w.run(4 * time.Second)["i00001"]; got > 1200/3/3 {
		t.Errorf("the slow instance got %d of 1200 calls, a third of a fair share is 133", got)
	}
}

// An instance that answers errors in no time must not be everybody's
// favourite: the sinkhole.
func TestFastFailuresAttractNothing(t *testing.T) {
	pool := newPool(t, nil)
	pool.Update(fixture.Snapshot("orders", 10), start)
	w := newTraffic(pool, 1000)
	w.serve = func(n *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result) {
		if n.ID() == "i00003" {
			return 50 * time.Microsecond, balancer.Failure
		}
		return 20 * time.Millisecond, balancer.Success
	}
	if got := w.run(time.Second)["i00003"]; got > 50 {
		t.Errorf("the failing instance got %d of the first 1000 calls, a fair share is 100", got)
	}
	if got := w.run(10 * time.Second)["i00003"]; got > 200 {
		t.Errorf("the failing instance got %d of 10000 calls, a fair share is 1000", got)
	}
}

// However little there is to do, an instance that was slow or failed once is
// tried again, and has its share back within two minutes.
func TestABadMomentIsNotHeldAgainstAnInstanceForEver(t *testing.T) {
	tests := []struct {
		name string
		bad  func(n *balancer.Node, now time.Duration)
	}{
		{"ten seconds for one call", func(n *balancer.Node, now time.Duration) { took(n, 10*time.Second, now) }},
		{"twenty failures", func(n *balancer.Node, now time.Duration) {
			for range 20 {
				n.Start(now).Done(now+time.Microsecond, balancer.Failure)
			}
		}},
	}
	for _, tt := range tests {
		for _, load := range []struct {
			name string
			rate int
		}{{"at 20 rps", 20}, {"at 1000 rps", 1000}} {
			t.Run(tt.name+" "+load.name, func(t *testing.T) {
				pool := newPool(t, nil)
				w := newTraffic(pool, load.rate)
				nodes := pool.Update(fixture.Snapshot("orders", 5), start).Nodes
				w.run(10 * time.Second)
				tt.bad(nodes[2], w.now)
				if got := w.run(2 * time.Second)["i00002"]; got > load.rate*2/5/10 {
					t.Errorf("right after it, the instance got %d of %d calls", got, load.rate*2)
				}
				w.run(2 * time.Minute)
				if got, fair := w.run(time.Minute)["i00002"], load.rate*60/5; got < fair/2 {
					t.Errorf("after two minutes, the instance got %d calls a minute, a fair share is %d", got, fair)
				}
			})
		}
	}
}

// Under load, calls are shared out by weight.
func TestWeightsAreHonoured(t *testing.T) {
	for _, p := range []struct {
		name   string
		policy balancer.Policy
	}{{"p2c-ewma", balancer.P2CEWMA{}}, {"least-request", balancer.LeastRequest{}}} {
		t.Run(p.name, func(t *testing.T) {
			pool := newPool(t, p.policy)
			s := fixture.Snapshot("orders", 4)
			s.Instances[2].Weight = 300
			pool.Update(s, start)
			w := newTraffic(pool, 1000)
			w.serve = func(*balancer.Node, *rand.Rand) (time.Duration, balancer.Result) {
				return 200 * time.Millisecond, balancer.Success // 200 calls at once
			}
			w.run(5 * time.Second)
			got := w.run(10 * time.Second)["i00002"]
			// Two choices cannot give a node more than it is drawn for: half.
			if got < 4200 || got > 5500 {
				t.Errorf("the instance of weight 300 among 100s got %d of 10000 calls, its share is 5000", got)
			}
		})
	}
}

// The same state of the nodes and the same request give the same choice: time
// and chance come from the caller alone.
func TestChoicesAreDeterministic(t *testing.T) {
	play := func() (ids []string) {
		pool := newPool(t, nil)
		pool.Update(fixture.Snapshot("orders", 7), start)
		w := newTraffic(pool, 500)
		for range 200 {
			for id := range w.run(2 * time.Millisecond) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	first, second := play(), play()
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("pick %d went to %s, and to %s when played again", i, first[i], second[i])
		}
	}
}
