package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// With one call at a time no counts tell the nodes apart. Then the draw
// decides by weight, so that a lighter node is not left out.
func TestWeightsHoldAtLowLoad(t *testing.T) {
	const calls = 20_000
	for name, policy := range map[string]balancer.Policy{"p2c-ewma": balancer.P2CEWMA{}, "least-request": balancer.LeastRequest{}, "full-scan": balancer.LeastRequest{FullScan: true}} {
		for _, weights := range [][]int{{100, 50}, {100, 95}, {100, 100, 100, 95}, {100, 10}} {
			t.Run(fmt.Sprintf("%s %v", name, weights), func(t *testing.T) {
				var nodes []*balancer.Node
				sum := 0
				for i, w := range weights {
					nodes = append(nodes, balancer.NewNode(discovery.Instance{ID: fmt.Sprint(i), Weight: w}, i))
					sum += w
				}
				bits := rand.New(rand.NewPCG(1, 2))
				picker, now, lightest := policy.Picker(balancer.Among(nodes...)), start, 0
				for range calls {
					n := picker.Pick(balancer.Request{Now: now, Rand: bits.Uint64()})
					if n == nodes[len(nodes)-1] {
						lightest++
					}
					ticket := n.Start(now)
					now += 10 * time.Millisecond
					ticket.Done(now, balancer.Success)
				}
				want := float64(weights[len(weights)-1]) / float64(sum)
				if got := float64(lightest) / calls; got < 0.8*want || got > 1.2*want {
					t.Errorf("the lightest has %.3f of the calls, its weight says %.3f", got, want)
				}
			})
		}
	}
}

// A node of a tenth of the weight has a tenth of the calls, about, however many
// are on their way at the others: less than ten of them must not mean none.
func TestALightNodeIsNotLeftOut(t *testing.T) {
	if underRace {
		t.Skip("one goroutine plays it all")
	}
	for _, policy := range []balancer.Policy{balancer.P2CEWMA{}, balancer.LeastRequest{}} {
		for _, inFlight := range []float64{0.1, 1, 1.7, 5, 20} {
			for _, nodes := range []int{4, 10, 50} {
				t.Run(fmt.Sprintf("%v/%v in flight/%d nodes", policy, inFlight, nodes), func(t *testing.T) {
					const rate = 2000
					pool := newPool(t, policy)
					s := fixture.Snapshot("orders", nodes)
					s.Instances[1].Weight = 10
					pool.Update(s, start)
					w := newTraffic(pool, rate)
					mean := inFlight * float64(nodes-1) / rate * float64(time.Second)
					w.serve = func(_ *balancer.Node, bits *rand.Rand) (time.Duration, balancer.Result) {
						return time.Duration((0.9 + bits.Float64()/5) * mean), balancer.Success
					}
					w.run(5 * time.Second)
					got, want := w.run(10 * time.Second)["i00001"], 10*rate*10/(100*(nodes-1)+10)
					// It is often the idle one of those that are drawn.
					if got < want/2 || got > want*5/2 {
						t.Errorf("it got %d calls, its share is %d", got, want)
					}
				})
			}
		}
	}
}

// Ticks wrap after 78 hours, and half of that is not "a moment ago".
func TestAPauseOfDaysMakesNothingFresh(t *testing.T) {
	for _, pause := range []time.Duration{time.Hour, 38 * time.Hour, 40 * time.Hour, 60 * time.Hour, 77 * time.Hour} {
		t.Run(pause.String(), func(t *testing.T) {
			nodes := newNodes(t, 2)
			took(nodes[0], 2*time.Second, start)
			took(nodes[1], 2*time.Millisecond, start)
			if got := share(balancer.P2CEWMA{}, nodes, start+pause)[nodes[0]]; got < 0.4 {
				t.Errorf("the node that was slow before the pause has a share of %.2f after it", got)
			}
		})
	}
}
