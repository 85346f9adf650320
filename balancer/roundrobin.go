package balancer

import (
	"math/rand/v2"
	"sync/atomic"
)

// RoundRobin chooses the nodes in turn. Its counter is shared by all callers
// of the process, so it is the one policy that gets slower with more
// processors; it is here for comparison and for those who want it.
type RoundRobin struct{}

// String returns "round-robin".
func (RoundRobin) String() string { return "round-robin" }

// Picker implements [Policy].
func (RoundRobin) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	p := &roundRobin{nodes: c.Nodes}
	// Processes that start together do not march in step.
	p.next.Store(rand.Uint32())
	return p
}

type roundRobin struct {
	nodes []*Node
	_     [40]byte // the counter's line holds nothing else
	next  atomic.Uint32
	_     [60]byte
}

func (p *roundRobin) Pick(Request) *Node {
	return p.nodes[p.next.Add(1)%uint32(len(p.nodes))]
}
