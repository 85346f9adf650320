package fairhttp

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// followed returns a service that follows a pool of n instances, with a leaf
// for each, and a view without the instance in the middle.
func followed(tb testing.TB, n int) (s *service, whole, without []*balancer.Node) {
	tb.Helper()
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	snapshot := fixture.Snapshot("orders", n)
	whole = pool.Update(snapshot, time.Hour).Nodes
	snapshot.Instances = append(snapshot.Instances[:n/2:n/2], snapshot.Instances[n/2+1:]...)
	without = pool.Update(snapshot, time.Hour).Nodes

	s = &service{transport: new(Transport)}
	leaves := make([]atomic.Pointer[leaf], n)
	s.leaves.Store(&leaves)
	s.turnLocked(whole)
	for _, node := range whole {
		l := &leaf{node: node}
		l.current.Store(new(generation))
		leaves[node.Index()].Store(l)
	}
	return s, whole, without
}

// Each view drops the leaves of those that left, and no other.
func TestLeavesAreKeptWithTheView(t *testing.T) {
	s, whole, without := followed(t, 5)
	gone := whole[2]
	has := func(n *balancer.Node) bool { return (*s.leaves.Load())[n.Index()].Load() != nil }
	if came := s.turnLocked(without); len(came) != 0 || has(gone) {
		t.Errorf("%d came, the one that left has its leaf: %t", len(came), has(gone))
	}
	for _, n := range without {
		if !has(n) {
			t.Errorf("%s has lost its leaf", n.ID())
		}
	}
	// A call that was late makes a leaf again; what time demands clears it.
	l := &leaf{node: gone}
	l.current.Store(new(generation))
	(*s.leaves.Load())[gone.Index()].Store(l)
	s.clearAllLocked()
	if has(gone) {
		t.Error("the leaf of a late call stays")
	}
	if came := s.turnLocked(whole); len(came) != 1 || came[0] != gone {
		t.Errorf("%d came back", len(came))
	}
	// Its number passes to another while its leaf is still there.
	heir := balancer.NewNode(fixture.Instances("orders", 10)[9], gone.Index())
	(*s.leaves.Load())[gone.Index()].Store(l)
	if came := s.turnLocked(append(without[:4:4], heir)); len(came) != 1 || came[0] != heir || has(gone) {
		t.Errorf("%d came, the leaf of the number's last owner is there: %t", len(came), has(gone))
	}
	if s.clearAllLocked(); !has(without[0]) {
		t.Error("clearing drops other leaves than those that are gone")
	}
}

// BenchmarkFollowOneOf10000 is what a view costs in which one of ten thousand
// instances left or came back.
func BenchmarkFollowOneOf10000(b *testing.B) {
	s, whole, without := followed(b, 10_000)
	views := [...][]*balancer.Node{without, whole}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.turnLocked(views[i%2])
	}
}
