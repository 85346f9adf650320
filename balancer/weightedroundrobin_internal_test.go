package balancer

import (
	"math"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// Which weights count where some are not known, and how that is shown. Each row
// follows the one before.
func TestWeightsThatAreNotKnown(t *testing.T) {
	nodes := make([]*Node, 4)
	for i := range nodes {
		nodes[i] = NewNode(discovery.Instance{}, i)
	}
	nan, inf := math.NaN(), math.Inf(1)
	steps := []struct {
		name    string
		known   []float64
		factors []float32
		want    []float64
		mode    Mode
	}{
		{"none yet", []float64{0, 0, 0, 0}, nil, []float64{1, 1, 1, 1}, Cold},
		{"one is as good as none", []float64{0, 7, 0, 0}, nil, []float64{1, 1, 1, 1}, Cold},
		{"none yet, but factors", []float64{0, 7, 0, 0}, []float32{1, 1, 1, 2}, []float64{1, 1, 1, 2}, Cold},
		{"two: the others have their mean", []float64{0, 10, 20, 0}, nil, []float64{15, 10, 20, 15}, Normal},
		{"the mean, times a factor", []float64{0, 10, 20, 0}, []float32{2, 2, 1, 1}, []float64{30, 20, 20, 15}, Normal},
		{"all", []float64{5, 10, 20, 1}, nil, []float64{5, 10, 20, 1}, Normal},
		{"what is no weight is not known", []float64{nan, inf, -3, 2}, nil, []float64{1, 1, 1, 1}, Fallback},
		{"still not", []float64{0, 0, 0, 0}, nil, []float64{1, 1, 1, 1}, Fallback},
		{"again", []float64{3, 1, nan, inf}, nil, []float64{3, 1, 2, 2}, Normal},
	}
	var before *rotation
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			p := &weightedRoundRobin{factors: s.factors}
			r := p.rotate(nodes, slices.Clone(s.known), before)
			if r.mode != s.mode || !slices.Equal(r.weights, s.want) {
				t.Errorf("got %v of %v, want %v of %v", r.mode, r.weights, s.mode, s.want)
			}
			if again := p.rotate(nodes, slices.Clone(s.known), r); s.mode != Cold && again != r {
				t.Error("nothing changed, and the rotation is another")
			}
			if s.mode != Normal {
				got := map[*Node]int{}
				for range 4000 {
					got[r.take()]++
				}
				for i, n := range nodes {
					if want := 4000 * s.want[i] / (s.want[0] + s.want[1] + s.want[2] + s.want[3]); math.Abs(float64(got[n])-want) > 2 {
						t.Errorf("node %d had %d of 4000 turns, want %v", i, got[n], want)
					}
				}
			}
			before = r
		})
	}
}

// What was known of other nodes does not make a picker over new ones warm, nor
// cold.
func TestAPickerKeepsItsMode(t *testing.T) {
	nodes := make([]*Node, 3)
	for i := range nodes {
		nodes[i] = NewNode(discovery.Instance{}, i)
	}
	before := WeightedRoundRobin{}.Picker(Among(nodes...)).(*weightedRoundRobin)
	before.Refresh(42)
	before.rotation.Store(before.rotate(nodes, []float64{0, 0, 0}, before.rotation.Load()))
	if got := before.Mode(); got != Fallback {
		t.Fatalf("mode %v", got)
	}
	after := WeightedRoundRobin{}.Picker(Candidates{Nodes: nodes[:2], Before: before}).(*weightedRoundRobin)
	if got := after.now.Load(); got != 42 {
		t.Errorf("the weights are taken to be of %d", got)
	}
	if got := after.rotate(nodes[:2], []float64{0, 0}, before.rotation.Load()).mode; got != Fallback {
		t.Errorf("mode %v", got)
	}
}
