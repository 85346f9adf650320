package balancer

import "slices"

// rotation is an order in which nodes have turns, by weight. Only its counter
// changes.
type rotation struct {
	nodes   []*Node
	turns   []*Node   // one round
	stride  stride    // in the place of turns, where these would be too many
	weights []float64 // that it was made of
	mode    Mode
	counter
}

// take returns whose turn it is.
func (r *rotation) take() *Node {
	if r.turns == nil {
		return r.nodes[r.stride.next(&r.counter)]
	}
	return r.turns[r.counter.next()%uint32(len(r.turns))]
}

// of reports whether the rotation, which may be nil, is one of these nodes.
func (r *rotation) of(nodes []*Node) bool { return r != nil && slices.Equal(r.nodes, nodes) }

// follow begins where another rotation stands, if that is one of the same nodes.
// There is no such place among other nodes, and then bits say where.
func (r *rotation) follow(before *rotation, bits uint64) {
	if before.of(r.nodes) {
		r.begin(&before.counter, bits)
	} else {
		r.begin(nil, bits)
	}
}
