package balancer_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// drawn is what a pool draws by itself: where rounds begin, for several views, and
// how long an instance is ejected.
func drawn(t *testing.T, policy balancer.Policy, seed string) string {
	pool := balancing(t, balancer.Balancing{Policy: policy, Subset: balancer.Subset{Seed: seed}})
	var got []any
	for size := 2; size < 12; size++ {
		choice := pool.Update(fixture.Snapshot("orders", size), start).Choice(discovery.HTTP)
		got = append(got, choice.Picker.Pick(balancer.Request{Now: start}).ID())
	}
	node := pool.View().Nodes[0]
	for range 5 {
		node.Start(start).Done(start, balancer.Failure)
	}
	for _, o := range pool.Review(start).Outages {
		got = append(got, o.Until)
	}
	return fmt.Sprint(got...)
}

func TestTheSeedSaysWhatAPoolDraws(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.RoundRobin{}, balancer.SmoothWeighted{}, balancer.WeightedRoundRobin{}} {
		t.Run(policy.String(), func(t *testing.T) {
			if one, two := drawn(t, policy, "a"), drawn(t, policy, "a"); one != two {
				t.Errorf("the same seed draws\n%s and\n%s", one, two)
			}
			all := map[string]bool{}
			for _, seed := range []string{"a", "b", "", ""} {
				all[drawn(t, policy, seed)] = true
			}
			if len(all) != 4 {
				t.Errorf("two different seeds, and none twice, draw only %d different things", len(all))
			}
		})
	}
}

func TestRoundsDoNotAllBeginAtTheSamePlace(t *testing.T) {
	pool := balancing(t, balancer.Balancing{Policy: balancer.RoundRobin{}, Subset: balancer.Subset{Seed: "a"}})
	var firsts []string
	for range 50 {
		for _, n := range []int{10, 11} { // another list, so that a round begins
			choice := pool.Update(fixture.Snapshot("orders", n), start+time.Second).Choice(discovery.HTTP)
			firsts = append(firsts, choice.Picker.Pick(balancer.Request{}).ID())
		}
	}
	slices.Sort(firsts)
	if got := len(slices.Compact(firsts)); got < 8 {
		t.Errorf("of a hundred rounds over ten nodes all begin at %d of them", got)
	}
}
