package balancer

import (
	"slices"
	"sync/atomic"
	"time"
)

// Random chooses every node with the probability of its weight, and looks at
// nothing else. Where all weigh the same that is one draw and one look;
// otherwise it is one more look, into a table (the alias method of Walker, 1977,
// and Vose, 1991) that is made again within a second or so of a change.
type Random struct{}

// String returns "random".
func (Random) String() string { return "random" }

// Picker implements [Policy].
func (Random) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	p := &random{nodes: c.Nodes, factors: c.factors()}
	p.Refresh(0)
	return p
}

type random struct {
	nodes   []*Node
	factors []float32
	table   atomic.Pointer[randomTable] // nil: all weigh the same
}

type randomTable struct {
	aliases
	weights []float64 // that it was made of
}

func (p *random) Pick(r Request) *Node {
	if table := p.table.Load(); table != nil {
		return p.nodes[table.draw(r.Rand)]
	}
	return p.nodes[drawOne(r.Rand, len(p.nodes))]
}

// Refresh implements [Refresher].
func (p *random) Refresh(time.Duration) {
	weights := weigh(p.nodes, p.factors)
	if same(weights) {
		p.table.Store(nil)
		return
	}
	if table := p.table.Load(); table == nil || !slices.Equal(table.weights, weights) {
		p.table.Store(&randomTable{newAliases(weights), weights})
	}
}
