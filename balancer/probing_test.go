package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// refuse makes nodes be passed over since they refuse connections.
func refuse(pool *balancer.Pool, nodes []*balancer.Node, now time.Duration) {
	for _, n := range nodes {
		n.Start(now).Done(now, balancer.Unreachable)
	}
	pool.Review(now)
}

// A probe is a call that may be lost. However many wait for one, and however few
// calls there are, most calls are none.
func TestFewCallsAreProbes(t *testing.T) {
	for _, rate := range []int{1, 5, 20, 100} {
		t.Run(fmt.Sprintf("%d rps, half of 100 refuse", rate), func(t *testing.T) {
			pool := newPool(t, nil)
			nodes := pool.Update(fixture.Snapshot("orders", 100), start).Nodes
			dead := map[*balancer.Node]bool{}
			for _, n := range nodes[:50] {
				dead[n] = true
			}
			refuse(pool, nodes[:50], start)
			bits, now, lost := rand.New(rand.NewPCG(1, uint64(rate))), start, 0
			const calls = 2000
			for range calls {
				now += time.Second / time.Duration(rate)
				pool.Review(now)
				n := pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: bits.Uint64()})
				result := balancer.Success
				if dead[n] {
					result = balancer.Unreachable
					lost++
				}
				n.Start(now).Done(now+time.Millisecond, result)
			}
			if lost > calls*15/100 || lost < calls*2/100 {
				t.Errorf("%d of %d calls went to those that refuse", lost, calls)
			}
		})
	}
}

// With a policy that gives keys a place, a probe is a call whose place it is: no
// other key gets elsewhere for that.
func TestProbesKeepKeysInTheirPlaces(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.RingHash{}, balancer.Maglev{}} {
		t.Run(policy.String(), func(t *testing.T) {
			pool := newPool(t, policy)
			nodes := pool.Update(fixture.Snapshot("orders", 10), start).Nodes
			pick := func(key int, now time.Duration) *balancer.Node {
				return pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: rand.Uint64(), Key: strconv.Itoa(key)})
			}
			const keys = 2000
			var home [keys]*balancer.Node
			for key := range keys {
				home[key] = pick(key, start)
			}
			refuse(pool, nodes[3:5], start)
			now := start + 2*time.Second
			pool.Review(now)
			probes := 0
			for key := range keys {
				switch got := pick(key, now); {
				case home[key] != nodes[3] && home[key] != nodes[4] && got != home[key]:
					t.Fatalf("key %d is at %s and got to %s", key, home[key].ID(), got.ID())
				case got == nodes[3] || got == nodes[4]:
					probes++
				}
			}
			if probes != 2 {
				t.Errorf("%d calls were probes of two nodes", probes)
			}
		})
	}
}

// A tier of which nobody is well has no keys. It is probed nevertheless.
func TestATierWithoutKeysIsProbed(t *testing.T) {
	pool := balancing(t, balancer.Balancing{Policy: balancer.Maglev{}, Tiers: []balancer.Tier{{Name: "own", Labels: map[string]string{"zone": "a"}}}})
	s := fixture.Snapshot("orders", 6)
	for n, i := range s.Instances {
		i = new(*i)
		i.Zone = map[bool]string{true: "a", false: "b"}[n < 3]
		s.Instances[n] = i
	}
	nodes := pool.Update(s, start).Nodes
	refuse(pool, nodes[:3], start)
	now := start + 2*time.Second
	pool.Review(now)
	got := map[*balancer.Node]int{}
	for key := range 2000 {
		got[pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: rand.Uint64(), Key: strconv.Itoa(key)})]++
	}
	for _, n := range nodes[:3] {
		if got[n] != 1 {
			t.Errorf("%s was chosen %d times, want one probe", n.ID(), got[n])
		}
	}
}
