package balancer_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// What every policy promises. A new policy is one more row in policies.
func TestEveryPolicy(t *testing.T) {
	for _, p := range policies {
		t.Run(p.name, func(t *testing.T) {
			t.Run("of nobody chooses nobody", func(t *testing.T) {
				if got := p.policy.Picker(balancer.Among()).Pick(balancer.Request{Now: start, Rand: 1}); got != nil {
					t.Errorf("got %v", got.ID())
				}
			})
			t.Run("of one chooses that one", func(t *testing.T) {
				nodes := newNodes(t, 1)
				if got := share(p.policy, nodes, start)[nodes[0]]; !always(got) {
					t.Errorf("share %v", got)
				}
			})
			t.Run("of equals chooses evenly", func(t *testing.T) {
				for _, n := range []int{2, 3, 10} {
					nodes := newNodes(t, n)
					got := share(p.policy, nodes, start)
					for _, node := range nodes {
						if fair := 1 / float64(n); got[node] < fair*0.8 || got[node] > fair*1.2 {
							t.Errorf("of %d nodes %s has a share of %.3f", n, node.ID(), got[node])
						}
					}
				}
			})
			t.Run("allocates nothing", func(t *testing.T) {
				pool := warmPool(t, p.policy, 100)
				if got := testing.AllocsPerRun(1000, func() { pick(pool) }); got != 0 {
					t.Errorf("%v allocations", got)
				}
			})
			t.Run("keeps nothing: other nodes, other choices", func(t *testing.T) {
				pool := newPool(t, p.policy)
				pool.Update(fixture.Snapshot("orders", 10), start)
				pool.Update(fixture.Snapshot("orders", 3), start)
				for id := range newTraffic(pool, 1000).run(time.Second) {
					if id > "i00002" {
						t.Errorf("%s was chosen, which is gone", id)
					}
				}
			})
		})
	}
}

func TestRoundRobinTakesTurns(t *testing.T) {
	nodes := newNodes(t, 5)
	picker := balancer.RoundRobin{}.Picker(balancer.Among(nodes...))
	first := picker.Pick(balancer.Request{}).Index()
	for i := 1; i < 23; i++ {
		if got, want := picker.Pick(balancer.Request{}).Index(), (first+i)%5; got != want {
			t.Fatalf("pick %d went to node %d, want %d", i, got, want)
		}
	}
}

func TestRandomLooksAtNothing(t *testing.T) {
	nodes := newNodes(t, 2)
	took(nodes[0], time.Minute, start)
	hold(nodes[0], 100, start)
	if got := share(balancer.Random{}, nodes, start)[nodes[0]]; !evenly(got) {
		t.Errorf("the slow and busy one has a share of %v", got)
	}
}

func TestLeastRequestChoosesTheLessBusy(t *testing.T) {
	mostly := func(s float64) bool { return s > 0.9 }
	twice := func(s float64) bool { return s > 0.62 && s < 0.72 }
	rarely := func(s float64) bool { return s < 0.2 }
	tests := []struct {
		name          string
		aCalls, bCall int
		aWeight       int
		a             func(float64) bool
	}{
		{"fewer calls", 0, 1, 100, always},
		{"more calls", 2, 1, 100, never},
		{"as many", 1, 1, 100, evenly},
		{"more calls, but fewer for its weight", 3, 2, 200, mostly},
		{"as many for its weight", 2, 1, 200, twice},
		{"more calls for its weight", 4, 1, 200, rarely},
		{"weight 0 means 100", 1, 1, 0, evenly},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fixture.Snapshot("orders", 2)
			s.Instances[0].Weight = tt.aWeight
			nodes := newPool(t, nil).Update(s, start).Nodes
			took(nodes[0], time.Minute, start) // it does not look at latency
			hold(nodes[0], tt.aCalls, start)
			hold(nodes[1], tt.bCall, start)
			if got := share(balancer.LeastRequest{}, nodes, start)[nodes[0]]; !tt.a(got) {
				t.Errorf("a has a share of %.3f", got)
			}
		})
	}
}

// A policy of one's own is a function.
func TestAPolicyIsAFunction(t *testing.T) {
	last := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		return balancer.Random{}.Picker(balancer.Among(c.Nodes[len(c.Nodes)-1]))
	})
	pool := newPool(t, last)
	pool.Update(fixture.Snapshot("orders", 4), start)
	picker := pool.View().Picker(discovery.HTTP)
	for range 10 {
		if got := picker.Pick(balancer.Request{Rand: rand.Uint64()}).ID(); got != "i00003" {
			t.Fatalf("got %s", got)
		}
	}
}
