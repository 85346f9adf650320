package balancer

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/fairlead-go/fairlead/discovery"
)

// client draws subsets of instances that it knows.
type client struct {
	Subset
	nodes []*Node // sorted by ID
}

// newClient returns a client that knows instances i00000, i00001, … of the
// weights given.
func newClient(seed string, size int, weights ...int) *client {
	c := &client{Subset: Subset{Size: size, Seed: seed}}
	for i, w := range weights {
		c.nodes = append(c.nodes, NewNode(discovery.Instance{ID: fmt.Sprintf("i%05d", i), Weight: w}, i))
	}
	c.rate()
	return c
}

func (c *client) rate() {
	for _, n := range c.nodes {
		n.rate(xxhash.Sum64String(c.Seed))
	}
}

func (c *client) draws() ([]*Node, []float32) { return c.draw(c.nodes, nil) }

// weighed returns what each of those that it draws weighs.
func (c *client) weighed() (some []*Node, weights []float64) {
	some, factors := c.draws()
	for i, n := range some {
		weights = append(weights, n.announced())
		if factors != nil {
			weights[i] *= float64(factors[i])
		}
	}
	return some, weights
}

// equal returns n times the default weight.
func equal(n int) []int { return slices.Repeat([]int{discovery.DefaultWeight}, n) }

func idsOf(nodes []*Node) (ids []string) {
	for _, n := range nodes {
		ids = append(ids, n.ID())
	}
	return ids
}

func TestSubsetSize(t *testing.T) {
	for _, tt := range []struct {
		name      string
		subset    Subset
		instances int
		want      int
	}{
		{"of fewer than it may have: all", Subset{Size: 10}, 9, 9},
		{"of as many as it may have: all", Subset{Size: 10}, 10, 10},
		{"of one more", Subset{Size: 10}, 11, 10},
		{"one of many", Subset{Size: 1}, 1000, 1},
		{"by default", Subset{}.withDefaults(), 1000, 100},
		{"off", Subset{Off: true, Size: 10}, 1000, 1000},
		{"of none", Subset{Size: 10}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := newClient("a", 0, equal(tt.instances)...).nodes
			some, factors := tt.subset.draw(all, nil)
			if len(some) != tt.want || factors != nil {
				t.Errorf("%d of %d are called, factors %v; want %d of equal weight", len(some), tt.instances, factors, tt.want)
			}
			if tt.want == tt.instances && len(all) > 0 && &some[0] != &all[0] {
				t.Error("the list was copied")
			}
		})
	}
}

// The same in every process, on every machine, today and tomorrow: this list
// must never change.
func TestSubsetIsTheSameInEveryProcess(t *testing.T) {
	weights := equal(1000)
	weights[17], weights[500] = 10_000, 1
	some, _ := newClient("client-7", 8, weights...).draws()
	if got := strings.Join(idsOf(some), " "); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
}

const golden = "i00017 i00110 i00146 i00164 i00449 i00541 i00621 i00882"

// A subset is what a naive reading of its definition says: all are scored and
// sorted, and the first are taken.
func TestSubsetAgainstSorting(t *testing.T) {
	bits := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		weights := make([]int, 1+bits.IntN(400))
		for i := range weights {
			weights[i] = bits.IntN(5) * bits.IntN(discovery.MaxWeight/4+1) // often 0, which is the default
		}
		size := 1 + bits.IntN(len(weights)+5)
		c := newClient(fmt.Sprint(bits.Uint64()), size, weights...)
		got, factors := c.draws()

		score := func(n *Node) float64 { return float64(math.Float32frombits(n.score.Load())) }
		sorted := slices.SortedFunc(slices.Values(c.nodes), func(a, b *Node) int { return cmp.Compare(score(a), score(b)) })
		want := slices.SortedFunc(slices.Values(sorted[:min(size, len(sorted))]), byID)
		if !slices.Equal(got, want) {
			t.Fatalf("size %d of %v:\ngot  %v\nwant %v", size, weights, idsOf(got), idsOf(want))
		}
		for i, f := range factors {
			drawn := 1 - math.Exp(-score(sorted[size])*got[i].announced())
			if math.Abs(float64(f)*drawn-1) > 1e-5 {
				t.Fatalf("%s weighs %v, is drawn with probability %v and gets the factor %v", got[i].ID(), got[i].announced(), drawn, f)
			}
		}
	}
}

// drawer says whom a client calls of a list.
type drawer func(nodes []*Node) []*Node

// churn is the most places that change in a subset of 20 while instances of a
// service of 100 come, go and change their weight one at a time.
func churn(draw drawer) (most int) {
	bits := rand.New(rand.NewPCG(3, 4))
	all := newClient("a", 20, equal(100)...).nodes
	before := draw(all)
	for range 300 {
		switch at := bits.IntN(len(all)); {
		case len(all) > 50 && bits.IntN(2) == 0:
			all = slices.Delete(slices.Clone(all), at, at+1)
		case bits.IntN(2) == 0:
			changed := NewNode(discovery.Instance{ID: all[at].ID(), Weight: 1 + bits.IntN(1000)}, 0)
			changed.rate(xxhash.Sum64String("a"))
			all = slices.Clone(all)
			all[at] = changed
		default:
			came := NewNode(discovery.Instance{ID: fmt.Sprintf("new%d", bits.Uint64())}, 0)
			came.rate(xxhash.Sum64String("a"))
			all = slices.SortedFunc(slices.Values(append(slices.Clone(all), came)), byID)
		}
		after := draw(all)
		new := 0
		for _, n := range after {
			if !slices.ContainsFunc(before, func(b *Node) bool { return b.ID() == n.ID() }) {
				new++
			}
		}
		most, before = max(most, new), after
	}
	return most
}

// Trap: a random subset on every update tears down most connections each time
// that anything changes.
func TestOneChangeMovesOneConnection(t *testing.T) {
	subset := Subset{Size: 20}
	if got := churn(func(nodes []*Node) []*Node { some, _ := subset.draw(nodes, nil); return some }); got != 1 {
		t.Errorf("one change replaced %d of 20", got)
	}
	bits := rand.New(rand.NewPCG(5, 6))
	naive := func(nodes []*Node) []*Node {
		some := slices.Clone(nodes)
		bits.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		return some[:20]
	}
	if got := churn(naive); got < 10 {
		t.Errorf("the test does not see that a random subset replaces %d", got)
	}
}

// A greater subset has the instances of a smaller one, and what is left of a
// narrower list those of the whole: clients that call both, or are told another
// size, keep their connections.
func TestSubsetsAreNested(t *testing.T) {
	c := newClient("a", 10, equal(1000)...)
	ten, _ := c.draws()
	thirty, _ := Subset{Size: 30}.draw(c.nodes, nil)
	for _, n := range ten {
		if !slices.Contains(thirty, n) {
			t.Errorf("%s is one of 10 and not of 30", n.ID())
		}
	}
	half, _ := c.draw(c.nodes[:500], nil)
	for _, n := range ten {
		if slices.Contains(c.nodes[:500], n) && !slices.Contains(half, n) {
			t.Errorf("%s is one of 10 of all, and not of 10 of half of them", n.ID())
		}
	}
}

// Clients draw independently: two share as many as chance would have it.
func TestClientsDrawDifferently(t *testing.T) {
	const clients, size, of = 200, 20, 400
	c := newClient("", size, equal(of)...)
	subsets := make([][]*Node, clients)
	for i := range subsets {
		c.Seed = fmt.Sprintf("client-%d", i)
		c.rate()
		subsets[i], _ = c.draws()
	}
	shared, pairs := 0, 0
	for i, a := range subsets {
		for _, b := range subsets[:i] {
			pairs++
			shared += len(who(a, func(n *Node) bool { return slices.Contains(b, n) }))
		}
	}
	mean := float64(shared) / float64(pairs)
	if want := float64(size*size) / of; math.Abs(mean-want) > 0.05 {
		t.Errorf("two clients share %.3f instances, want %.3f", mean, want)
	}
}

// weighing says what each drawn instance is to weigh.
type weighing func(c *client) ([]*Node, []float64)

// loads returns how much load an instance of each weight gets of many clients,
// for its weight: 1 is its due.
func loads(weigh weighing) map[int]float64 {
	const clients, size = 4000, 30
	kinds := []int{10, 50, 100, 400, 3000}
	var weights []int
	for _, w := range kinds {
		weights = append(weights, slices.Repeat([]int{w}, 60)...)
	}
	all := 0
	for _, w := range weights {
		all += w
	}
	got := map[int]float64{}
	c := newClient("", size, weights...)
	for i := range clients {
		c.Seed = fmt.Sprintf("client-%d", i)
		c.rate()
		some, weights := weigh(c)
		sum := 0.0
		for _, w := range weights {
			sum += w
		}
		for i, n := range some {
			got[n.Instance().Weight] += weights[i] / sum / clients
		}
	}
	for _, w := range kinds {
		got[w] /= float64(60*w) / float64(all)
	}
	return got
}

// Over many clients an instance gets load as its weight, although heavy ones are
// drawn more often: the others weigh more where they are drawn.
func TestLoadIsAsWeightOverManyClients(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine draws for all")
	}
	got := loads((*client).weighed)
	t.Logf("load for its weight, by weight: %v", got)
	for w, load := range got {
		// Light instances are drawn rarely: the deviation over 4000 clients is 3 %
		// for those of weight 10.
		bound := 0.02
		if w <= 50 {
			bound = 0.10
		}
		if math.Abs(load-1) > bound {
			t.Errorf("an instance of weight %d gets %.3f of its due", w, load)
		}
	}
	naive := loads(func(c *client) (some []*Node, weights []float64) {
		some, _ = c.draws()
		for _, n := range some {
			weights = append(weights, n.announced())
		}
		return some, weights
	})
	if naive[100] > 0.5 {
		t.Errorf("the test does not see what weights that count twice do: %v", naive)
	}
}

// What a subset weighs is on average what all weigh, exactly. With the largest
// score that was drawn in place of the smallest that was not, it would be too
// much by one part in Size.
func TestSubsetStandsForAll(t *testing.T) {
	const clients, size = 20_000, 8
	weights := []int{1, 2, 5, 10, 20, 50, 100, 100, 100, 200, 200, 300, 1000, 1, 2, 5, 10, 20}
	all := 0.0
	for _, w := range weights {
		all += float64(w)
	}
	c := newClient("", size, weights...)
	mean, variance := 0.0, 0.0
	for i := range clients {
		c.Seed = fmt.Sprintf("client-%d", i)
		c.rate()
		_, weights := c.weighed()
		sum := 0.0
		for _, w := range weights {
			sum += w
		}
		mean += sum / clients
		variance += (sum - all) * (sum - all) / clients
	}
	deviation := math.Sqrt(variance / clients)
	t.Logf("mean %.1f of %.1f, deviation %.1f", mean, all, deviation)
	if math.Abs(mean-all) > 4*deviation || deviation > all/200 {
		t.Errorf("subsets weigh %.1f ± %.1f, all weigh %.1f", mean, deviation, all)
	}
}

// Whatever is announced, somebody is drawn, and nobody weighs nothing, or more
// than can be reckoned with.
func FuzzSubset(f *testing.F) {
	f.Add(uint64(1), 3, 0, -5, math.MaxInt32, 1)
	f.Fuzz(func(t *testing.T, seed uint64, size, a, b, c, d int) {
		size = min(max(size, 1), 1000)
		var nodes []*Node
		for i, w := range []int{a, b, c, d, a, b, c, d} {
			n := NewNode(discovery.Instance{ID: fmt.Sprint("same", i/2), Weight: w}, 0) // two of each
			n.rate(seed)
			nodes = append(nodes, n)
		}
		some, factors := Subset{Size: size}.draw(nodes, nil)
		if len(some) != min(size, len(nodes)) {
			t.Fatalf("%d are drawn of %d", len(some), len(nodes))
		}
		for _, f := range factors {
			if !(f >= 1 && f <= math.MaxFloat32) {
				t.Fatalf("factor %v", f)
			}
		}
	})
}
