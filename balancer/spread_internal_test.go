package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// spreadOver returns a picker over parts of so many nodes, which get the shares
// given, and the nodes of each.
func spreadOver(keyed bool, policy Policy, shares []float64, sizes ...int) (s *spread, nodes [][]*Node) {
	var parts []Picker
	var tiers []spreadTier
	for i, size := range sizes {
		var some []*Node
		for range size {
			some = append(some, NewNode(discovery.Instance{ID: fmt.Sprintf("%d-%d", i, len(some))}, 0))
		}
		parts, nodes = append(parts, policy.Picker(Among(some...))), append(nodes, some)
		tiers = append(tiers, spreadTier{i, shares[i], newSpill([]level{{nodes: some, room: 1, health: 1}}, nil)})
	}
	return newSpread(parts, tiers, keyed), nodes
}

// Each part gets its share, and within each every node gets as much as without
// the others: the bits that choose the part tell nothing of the node.
func TestSpreadDrawsPartAndNodeApart(t *testing.T) {
	const picks = 400_000
	shares := []float64{0.5, 0.02, 0, 0.33, 0.15}
	for _, policy := range []Policy{Random{}, LeastRequest{}, P2CEWMA{}} {
		s, nodes := spreadOver(false, policy, shares, 2, 3, 4, 7, 1)
		got := map[*Node]int{}
		bits := rand.New(rand.NewPCG(1, 2))
		for range picks {
			got[s.Pick(Request{Rand: bits.Uint64()})]++
		}
		for i, some := range nodes {
			for _, n := range some {
				want := shares[i] / float64(len(some))
				deviation := math.Sqrt(want * (1 - want) / picks)
				if share := float64(got[n]) / picks; math.Abs(share-want) > 4.5*deviation {
					t.Errorf("%s: %s gets %.4f, want %.4f ± %.4f", policy, n.ID(), share, want, deviation)
				}
			}
		}
	}
}

// One part, by the weights of two that differ: the lowest bits are looked at, too.
func TestSpreadLeavesTheLowestBits(t *testing.T) {
	a := NewNode(discovery.Instance{ID: "a", Weight: 300}, 0)
	b := NewNode(discovery.Instance{ID: "b", Weight: 100}, 1)
	s, _ := spreadOver(false, Random{}, []float64{0.1, 0.9}, 1, 1)
	s.parts[0] = P2CEWMA{}.Picker(Among(a, b))
	got := map[*Node]int{}
	bits := rand.New(rand.NewPCG(1, 2))
	for range 400_000 {
		got[s.Pick(Request{Rand: bits.Uint64()})]++
	}
	if share := float64(got[a]) / float64(got[a]+got[b]); math.Abs(share-0.75) > 0.01 {
		t.Errorf("of 3 to 1 the heavier gets %.3f", share)
	}
}

// Shares that do not quite add up to one leave nothing for those who get
// nothing.
func TestSpreadNeverPicksWhoGetsNothing(t *testing.T) {
	s, nodes := spreadOver(false, Random{}, []float64{0, 1 - 1e-9, 0}, 1, 1, 1)
	all := uint64(math.MaxUint64)
	for i := range 100_000 {
		if n := s.Pick(Request{Rand: all - uint64(i)*0x9e3779b97f4a7c15}); n != nodes[1][0] {
			t.Fatalf("%s was picked", n.ID())
		}
	}
	if b := *s.bounds.Load(); b[0] != 0 || b[1] != 1<<32 || b[2] != 1<<32 {
		t.Errorf("bounds %v", b)
	}
}

// Calls of the same key go to the same part, whatever the bits, and those
// without one do not go together.
func TestSpreadByKey(t *testing.T) {
	s, nodes := spreadOver(true, Random{}, []float64{0.7, 0.3}, 1, 1)
	bits := rand.New(rand.NewPCG(1, 2))
	first := 0
	for i := range 10_000 {
		key := fmt.Sprint("key", i)
		n := s.Pick(Request{Rand: bits.Uint64(), Key: key})
		if again := s.Pick(Request{Rand: bits.Uint64(), Key: key}); again != n {
			t.Fatalf("%s goes to %s and to %s", key, n.ID(), again.ID())
		}
		if n == nodes[0][0] {
			first++
		}
	}
	if first < 6800 || first > 7200 {
		t.Errorf("%d of 10000 keys are of a part that gets 7 of 10", first)
	}
	got := map[*Node]bool{}
	for range 100 {
		got[s.Pick(Request{Rand: bits.Uint64()})] = true
	}
	if len(got) != 2 {
		t.Error("calls without a key go to one part")
	}
}

// When a part loses some of its share, only keys of that part move.
func TestSpreadMovesFewKeys(t *testing.T) {
	before, _ := spreadOver(true, Random{}, []float64{0.7, 0.3}, 1, 1)
	after, _ := spreadOver(true, Random{}, []float64{0.6, 0.4}, 1, 1)
	moved := 0
	for i := range 10_000 {
		r := Request{Key: fmt.Sprint("key", i)}
		from, to := before.Pick(r).ID(), after.Pick(r).ID()
		if from == "1-0" && to == "0-0" {
			t.Fatalf("%s moved to the part that got less", r.Key)
		}
		if from != to {
			moved++
		}
	}
	if moved < 900 || moved > 1100 {
		t.Errorf("%d of 10000 keys moved for a tenth", moved)
	}
}

// inMode is a picker that says its mode and counts how often it is refreshed.
type inMode struct {
	Picker
	mode      Mode
	refreshed int
}

func (m *inMode) Mode() Mode            { return m.mode }
func (m *inMode) Refresh(time.Duration) { m.refreshed++ }

func TestSpreadTellsTheWorstModeAndRefreshesAll(t *testing.T) {
	for _, tt := range []struct {
		modes  []Mode
		shares []float64
		want   Mode
	}{
		{[]Mode{Normal, Normal}, []float64{1, 0}, Normal},
		{[]Mode{Cold, Normal}, []float64{0.5, 0.5}, Cold},
		{[]Mode{Cold, Fallback}, []float64{0.5, 0.5}, Fallback},
		{[]Mode{Normal, Fallback}, []float64{1, 0}, Normal}, // nobody is picked there
	} {
		s, _ := spreadOver(false, Random{}, tt.shares, 1, 1)
		var all []*inMode
		for i := range s.parts {
			m := &inMode{s.parts[i], tt.modes[i], 0}
			s.parts[i] = m
			all = append(all, m)
		}
		if got := ModeOf(s); got != tt.want {
			t.Errorf("%v with shares %v: %s, want %s", tt.modes, tt.shares, got, tt.want)
		}
		s.Refresh(time.Second)
		for i, m := range all {
			if m.refreshed != 1 {
				t.Errorf("part %d was refreshed %d times", i, m.refreshed)
			}
		}
	}
}

func TestSpreadAllocatesNothing(t *testing.T) {
	s, _ := spreadOver(false, P2CEWMA{}, []float64{0.5, 0.3, 0.2}, 10, 10, 10)
	i := uint64(0)
	if got := testing.AllocsPerRun(1000, func() { i++; s.Pick(Request{Rand: mix(i), Key: "key"}) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
