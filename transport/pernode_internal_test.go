package transport

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// its is what a test keeps of a node.
type its struct{ node *balancer.Node }

func numbered(id, index int) *balancer.Node {
	return balancer.NewNode(discovery.Instance{Service: "orders", ID: strconv.Itoa(id), Addr: "192.0.2.1:80"}, index)
}

func keptOf(p *perNode[its], n *balancer.Node) *its {
	return p.add(n, func() *its { return &its{n} })
}

func TestPerNode(t *testing.T) {
	var p perNode[its]
	a, b, far := numbered(1, 0), numbered(2, 1), numbered(3, 1000)
	if p.of(a) != nil {
		t.Error("something is kept of a node that nobody asked for")
	}
	first := keptOf(&p, a)
	if p.of(a) != first || keptOf(&p, a) != first {
		t.Error("what is kept of a node is made twice")
	}
	if p.of(b) != nil || p.of(far) != nil {
		t.Error("something is kept of others")
	}
	if other := keptOf(&p, far); p.of(far) != other || p.of(a) != first {
		t.Error("what was kept is lost when there is more")
	}
	if p.add(b, func() *its { return nil }) != nil || p.of(b) != nil {
		t.Error("nothing is something")
	}
}

// Numbers are used again by later nodes.
func TestPerNodeOfANumberThatIsUsedAgain(t *testing.T) {
	var p perNode[its]
	gone, here := numbered(1, 3), numbered(2, 3)
	keptOf(&p, gone)
	if p.of(here) != nil {
		t.Error("who has a number has what was kept of the one before")
	}
	is := keptOf(&p, here)
	if p.of(here) != is || is.node != here {
		t.Error("what is kept is not its own")
	}
	if p.of(gone) != nil {
		t.Error("who is gone has what is kept of its successor")
	}
}

// Those that left are not among all.
func TestPerNodeAll(t *testing.T) {
	var p perNode[its]
	view := &balancer.View{}
	for range p.all(view) {
		t.Error("there is something of nobody")
	}
	gone, here, unknown := numbered(1, 0), numbered(2, 1), numbered(3, 2)
	keptOf(&p, gone)
	keptOf(&p, here)
	view.Nodes = []*balancer.Node{here, unknown}
	n := 0
	for node, is := range p.all(view) {
		if n++; node != here || is.node != here {
			t.Errorf("among them is %s", node.ID())
		}
	}
	if n != 1 {
		t.Errorf("there are %d, want one", n)
	}
	for range p.all(view) {
		break
	}
}

// However nodes come and go, nobody gets what is another's, and what is kept of one is
// made once.
func TestPerNodeUnderLoad(t *testing.T) {
	var p perNode[its]
	const places = 8
	var all [4 * places]*balancer.Node
	for n := range all {
		all[n] = numbered(n, n%places)
	}
	var generation atomic.Int64 // of those places nodes which are there
	view := func() *balancer.View {
		first := int(generation.Load()) * places
		return &balancer.View{Nodes: all[first : first+places]}
	}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 20_000 {
				here := view().Nodes
				n := here[rand.IntN(places)]
				if rand.IntN(100) == 0 {
					n = all[rand.IntN(len(all))] // a late call to one that has left
				}
				if is := p.of(n); is != nil && is.node != n {
					t.Error("somebody has what is another's")
				}
				if is := keptOf(&p, n); is.node != n {
					t.Error("somebody was given what is another's")
				}
			}
		})
	}
	workers.Go(func() {
		for range 2000 {
			for n, is := range p.all(view()) {
				if is.node != n {
					t.Error("among all somebody has what is another's")
				}
			}
			p.settle()
			generation.Store(rand.Int64N(4))
		}
	})
	workers.Wait()
}
