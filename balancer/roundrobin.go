package balancer

import "slices"

// RoundRobin chooses the nodes in turn, whatever their weight: who wants
// weights takes [SmoothWeighted]. Where the turns begin is drawn, so that
// processes that start together do not march in step, and again when there are
// other nodes. The counter is shared by all callers of the process, so that this
// policy gets slower with more processors.
type RoundRobin struct{}

// String returns "round-robin".
func (RoundRobin) String() string { return "round-robin" }

// Picker implements [Policy].
func (RoundRobin) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	p := &roundRobin{nodes: c.Nodes}
	if before, ok := c.Before.(*roundRobin); ok && slices.Equal(before.nodes, p.nodes) {
		p.begin(&before.counter, 0)
	} else {
		p.begin(nil, c.bits)
	}
	return p
}

type roundRobin struct {
	nodes []*Node
	counter
}

func (p *roundRobin) Pick(Request) *Node {
	return p.nodes[p.next()%uint32(len(p.nodes))]
}
