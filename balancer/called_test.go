package balancer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// Who is called changes with the list only: an outage makes nobody connect to
// others, and one change of the list changes one place.
func TestCalledOutlivesOutages(t *testing.T) {
	const size, of = 20, 200
	c := &court{t, balancing(t, balancer.Balancing{
		Policy: balancer.Random{}, Subset: balancer.Subset{Size: size, Seed: "me"}, OutlierDetection: balancer.OutlierDetection{MaxEjectionPercent: 100},
	}), start}
	s := fixture.Snapshot("orders", of)
	c.pool.Update(s, c.now)
	called := c.choice().Called()
	if len(called) != size || !slices.IsSortedFunc(called, func(a, b *balancer.Node) int { return strings.Compare(a.ID(), b.ID()) }) {
		t.Fatalf("%d are called", len(called))
	}
	number := func(n *balancer.Node) int { return slices.Index(c.pool.View().Nodes, n) }
	for _, n := range called[:5] {
		c.fail(number(n))
	}
	if got := c.choice(); !slices.Equal(got.Called(), called) || got.Well != 15 || len(got.Eligible) != 15 {
		t.Errorf("after 5 outages %d are well and %d eligible, and the same are called: %v", got.Well, len(got.Eligible), slices.Equal(got.Called(), called))
	}
	s.Instances = slices.Delete(slices.Clone(s.Instances), number(called[7]), number(called[7])+1)
	c.pool.Update(s, c.now)
	left, came := balancer.Diff(called, c.choice().Called())
	if len(left) != 1 || len(came) != 1 || left[0] != called[7] {
		t.Errorf("one of the called left: %d left, %d came", len(left), len(came))
	}
	if got := c.choice().Well; got != 15 {
		t.Errorf("%d are well, with the one that came", got)
	}
}

// A cap on ejections is of those that are called, not of thousands that are not.
func TestEjectionsAreBoundedByTheSubset(t *testing.T) {
	c := &court{t, balancing(t, balancer.Balancing{Policy: balancer.Random{}, Subset: balancer.Subset{Size: 20}}), start}
	c.pool.Update(fixture.Snapshot("orders", 1000), c.now)
	for _, n := range c.choice().Called() {
		c.fail(slices.Index(c.pool.View().Nodes, n))
	}
	if got := len(c.pool.View().Outages); got != 2 {
		t.Errorf("%d of 20 are ejected, want a tenth", got)
	}
}

// Called is the union of what all parts may call.
func TestCalledOfParts(t *testing.T) {
	c := town(t, balancer.Balancing{Locality: here, Subset: balancer.Subset{Size: 2}}, "x/eu-a x/eu-b x/eu-a x/us-a x/eu-a x/eu-b x/eu-b x/us-a x/us-a")
	var want []*balancer.Node
	for _, p := range c.choice().Parts() {
		want = append(want, p.Called...)
	}
	slices.SortFunc(want, func(a, b *balancer.Node) int { return strings.Compare(a.ID(), b.ID()) })
	if got := c.choice().Called(); !slices.Equal(got, want) || len(got) != 6 {
		t.Errorf("%d are called, want the %d of the parts", len(got), len(want))
	}
	c = town(t, balancer.Balancing{Locality: here}, "x/eu-a x/eu-b x/us-a")
	if got := c.choice(); &got.Called()[0] != &got.Nodes[0] {
		t.Error("the list of all was copied")
	}
}

// Without a seed each pool draws for itself, with one all alike; and it draws
// the same after every update and every restart.
func TestSeed(t *testing.T) {
	drawn := func(seed string) string {
		pool := balancing(t, balancer.Balancing{Subset: balancer.Subset{Size: 5, Seed: seed}})
		s := fixture.Snapshot("orders", 100)
		first := ids(pool.Update(s, start).Choice(discovery.HTTP).Called())
		s.Instances = slices.Clone(s.Instances)
		s.Instances[50] = new(*s.Instances[50])
		s.Instances[50].Version = "2"
		if again := ids(pool.Update(s, start).Choice(discovery.HTTP).Called()); again != first {
			t.Errorf("the same client drew %s and then %s", first, again)
		}
		return first
	}
	if a, b := drawn("a"), drawn("a"); a != b {
		t.Errorf("the same seed drew %s and %s", a, b)
	}
	if a, b := drawn("a"), drawn("b"); a == b {
		t.Errorf("two seeds drew %s", a)
	}
	if a, b := drawn(""), drawn(""); a == b {
		t.Errorf("two pools without a seed drew %s", a)
	}
}

func ids(nodes []*balancer.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.ID())
	}
	return strings.Join(all, " ")
}

// Settings may change while calls go on: another size adds to a subset, another
// seed draws anew, and a tier more divides at once.
func TestPlacementChanges(t *testing.T) {
	c := town(t, balancer.Balancing{Subset: balancer.Subset{Size: 3, Seed: "me"}}, strings.Repeat("a b ", 10))
	set := func(b balancer.Balancing) []*balancer.Node {
		if _, err := c.pool.Balance(b, c.now); err != nil {
			t.Fatal(err)
		}
		return c.choice().Called()
	}
	three := c.choice().Called()
	five := set(balancer.Balancing{Subset: balancer.Subset{Size: 5, Seed: "me"}})
	if left, came := balancer.Diff(three, five); len(left) != 0 || len(came) != 2 {
		t.Errorf("a greater subset lost %d and gained %d", len(left), len(came))
	}
	if other := set(balancer.Balancing{Subset: balancer.Subset{Size: 5, Seed: "you"}}); slices.Equal(other, five) {
		t.Error("another seed drew the same")
	}
	set(balancer.Balancing{Subset: balancer.Subset{Size: 5, Seed: "me"}, Tiers: inTiers})
	if got := c.parts(); got != "first/anywhere:5/10=100%, second/anywhere:5/10=0%" {
		t.Errorf("got %s", got)
	}
	if got := set(balancer.Balancing{Subset: balancer.Subset{Off: true}}); len(got) != 20 {
		t.Errorf("without a subset %d are called", len(got))
	}
}
