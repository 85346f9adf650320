package balancer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// Nothing that comes from outside makes a choice impossible: somebody is chosen
// who is there, and nobody is chosen but by what is said of them.
func TestBadInput(t *testing.T) {
	weight := func(weights ...int) (instances []discovery.Instance) {
		for i, w := range weights {
			instances = append(instances, discovery.Instance{ID: fmt.Sprint(i), Weight: w})
		}
		return instances
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	const most = math.MaxInt
	tests := []struct {
		name      string
		instances []discovery.Instance
		factors   []float32
		times     []time.Duration // of the picks, in turn
		even      bool            // all are alike
		ids       bool            // but not for policies that place nodes by ID
	}{
		{name: "nobody"},
		{name: "one without a weight", instances: weight(0)},
		{name: "one with a factor", instances: weight(100), factors: []float32{0}},
		{name: "weight 0", instances: weight(0, 0, 100), even: true},
		{name: "negative weights", instances: weight(-1, math.MinInt, 100), even: true},
		{name: "a huge weight", instances: weight(most, 100, 1)},
		{name: "only huge weights", instances: weight(most, most, most), even: true},
		{name: "the tiniest weights", instances: weight(1, 1), factors: []float32{math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat32}, even: true},
		{name: "huge weights with huge factors", instances: weight(most, most), factors: []float32{math.MaxFloat32, math.MaxFloat32}, even: true},
		{name: "as far apart as can be", instances: weight(most, 1), factors: []float32{math.MaxFloat32, math.SmallestNonzeroFloat32}},
		{name: "factors that are no numbers", instances: weight(0, 0, 0), factors: []float32{nan, inf, -inf}, even: true},
		{name: "factors of 0 and less", instances: weight(0, 0, 0), factors: []float32{0, -1, -5}, even: true},
		{name: "too few factors", instances: weight(0, 0, 0), factors: []float32{1}, even: true},
		{name: "too many factors", instances: weight(0, 0), factors: []float32{1, 1, 5}, even: true},
		{name: "the same ID twice", instances: []discovery.Instance{{ID: "a"}, {ID: "a"}, {ID: "b"}}, even: true, ids: true},
		{name: "no IDs", instances: make([]discovery.Instance, 3), even: true, ids: true},
		{name: "the clock goes backwards", instances: weight(0, 0, 0), times: []time.Duration{start, start - time.Hour, start, -time.Hour}, even: true},
		{name: "the clock jumps", instances: weight(0, 0, 0), times: []time.Duration{start, math.MaxInt64, 1, math.MinInt64, start}, even: true},
		{name: "time 0", instances: weight(0, 0, 0), times: []time.Duration{0}, even: true},
	}
	for _, p := range policies {
		keyed, byID := p.policy.(interface{ Keyed() bool })
		byID = byID && keyed.Keyed()
		for _, tt := range tests {
			t.Run(p.name+"/"+tt.name, func(t *testing.T) {
				nodes := make([]*balancer.Node, len(tt.instances))
				for i := range nodes {
					nodes[i] = balancer.NewNode(tt.instances[i], i)
				}
				times := tt.times
				if times == nil {
					times = []time.Duration{start}
				}
				picker := p.policy.Picker(balancer.Candidates{Nodes: nodes, Factors: tt.factors})
				bits := rand.New(rand.NewPCG(17, 18))
				const picks = 6000
				got := make([]int, len(nodes))
				for i := range picks {
					now := times[i%len(times)]
					if r, ok := picker.(balancer.Refresher); ok && i%100 == 0 {
						r.Refresh(now)
					}
					n := picker.Pick(balancer.Request{Now: now, Rand: bits.Uint64()})
					if n == nil {
						if len(nodes) > 0 {
							t.Fatal("nobody was chosen")
						}
						continue
					}
					got[n.Index()]++
					ticket := n.Start(now)
					ticket.Done(times[(i+1)%len(times)], balancer.Result(i%4))
					if s := n.Stats(now); math.IsNaN(s.Failing) || s.Failing < 0 || s.Failing > 1 || s.Latency < 0 {
						t.Fatalf("after %v: %+v", now, s)
					}
				}
				for i, share := range got {
					if fair := picks / len(nodes); tt.even && !(tt.ids && byID) && (share < fair*3/4 || share > fair*5/4) {
						t.Errorf("node %d was chosen %d times, fair are %d", i, share, fair)
					}
				}
			})
		}
	}
}
