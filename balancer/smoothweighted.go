package balancer

import (
	"slices"
	"sync/atomic"
	"time"
)

// SmoothWeighted chooses the nodes in turn, each as often as its weight says and
// with its turns as far apart as can be: nginx's smooth weighted round robin,
// which for the weights 5, 1, 1 goes a, a, b, a, c, a, a. It looks at nothing but
// weights.
//
// One round is made in advance, so that a call only takes the next turn. Where
// that would be more than 4096 turns, weights are rounded, with at least one turn
// for everybody; and where there are more than 256 nodes as well, so that
// rounding would tell, turns are those of the static stride scheduler of
// [WeightedRoundRobin]. That keeps the proportions and spreads the turns of a
// node as evenly. Only if a node weighs more than ten times the mean of so many,
// its weight is cut to that, which the picker shows as [Fallback].
//
// A changed weight counts within a second or so. The counter is shared by all
// callers of the process, as that of [RoundRobin].
type SmoothWeighted struct{}

// String returns "smooth-weighted".
func (SmoothWeighted) String() string { return "smooth-weighted" }

// Picker implements [Policy].
func (SmoothWeighted) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	p := &smoothWeighted{factors: c.factors(), bits: c.bits}
	var rotation *rotation
	if before, ok := c.Before.(*smoothWeighted); ok {
		rotation = before.rotation.Load()
	}
	p.rotation.Store(p.rotate(c.Nodes, rotation))
	return p
}

type smoothWeighted struct {
	factors  []float32 // nil: 1
	bits     uint64    // see Candidates
	rotation atomic.Pointer[rotation]
}

func (p *smoothWeighted) Pick(Request) *Node { return p.rotation.Load().take() }

// Mode says whether a weight had to be cut.
func (p *smoothWeighted) Mode() Mode { return p.rotation.Load().mode }

// Refresh implements [Refresher].
func (p *smoothWeighted) Refresh(time.Duration) {
	before := p.rotation.Load()
	p.rotation.Store(p.rotate(before.nodes, before))
}

// rotate returns the rotation by the weights of the moment. It is the one
// before, which may be nil, if that is the same.
func (p *smoothWeighted) rotate(nodes []*Node, before *rotation) *rotation {
	weights := weigh(nodes, p.factors)
	if before.of(nodes) && slices.Equal(before.weights, weights) {
		return before
	}
	r := &rotation{nodes: nodes, weights: weights}
	if shares := turnsIn(weights); shares != nil {
		order := smooth(shares)
		r.turns = make([]*Node, len(order))
		for turn, place := range order {
			r.turns[turn] = nodes[place]
		}
	} else {
		var cut bool
		if r.stride, cut = newStride(weights); cut {
			r.mode = Fallback
		}
	}
	r.follow(before, p.bits)
	return r
}
