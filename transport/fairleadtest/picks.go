package fairleadtest

import (
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/balancer"
)

// Picks is a [balancer.Policy] that chooses what the test says, for
// transport.WithPolicy. The zero value chooses the instances in turn, in the
// order of their IDs. It is safe for concurrent use.
//
// What a mesh does with choices goes on as ever: a further attempt of one call
// goes to an instance that was not tried yet, whatever is chosen.
type Picks struct {
	mu   sync.Mutex
	next []string
	turn int
}

// To sets the choices from now on: these IDs in this order, the last again and
// again. One that cannot be chosen is left out; where none can, and without
// IDs, the instances are chosen in turn again.
func (p *Picks) To(ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.turn = slices.Clone(ids), 0
}

// Picker implements [balancer.Policy].
func (p *Picks) Picker(c balancer.Candidates) balancer.Picker { return forced{p, c.Nodes} }

// String implements [balancer.Policy].
func (p *Picks) String() string { return "picks" }

type forced struct {
	picks *Picks
	nodes []*balancer.Node // in the order of their IDs
}

func (f forced) Pick(balancer.Request) *balancer.Node {
	if len(f.nodes) == 0 {
		return nil
	}
	p := f.picks
	p.mu.Lock()
	defer p.mu.Unlock()
	for last := false; len(p.next) > 0 && !last; {
		id := p.next[0]
		if last = len(p.next) == 1; !last {
			p.next = p.next[1:]
		}
		if i := slices.IndexFunc(f.nodes, func(n *balancer.Node) bool { return n.ID() == id }); i >= 0 {
			return f.nodes[i]
		}
	}
	p.turn++
	return f.nodes[(p.turn-1)%len(f.nodes)]
}
