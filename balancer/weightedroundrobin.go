package balancer

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// WeightedRoundRobin chooses the nodes in turn, each as often as its weight says,
// over the static stride scheduler of gRFC A58 (grpc-go's and grpc-c++'s
// weighted_round_robin). The weight is that of the instance; if Reported, times
// one that is made of what the server reports of its load, as there. The schedule
// is made again about once a second, as there, and takes two bytes for each node;
// from one second to the next the turns go on.
//
// A node that has not reported has the mean of what the others have. Where fewer
// than two have, their reports are alike, and the picker shows that as [Cold] or,
// if more had, as [Fallback]. No weight counts for more than ten times
// the mean (as in grpc-c++), so that no choice takes long, or for less than
// 1 ÷ 65535 of the heaviest.
//
// The counter is shared by all callers of the process, as that of [RoundRobin].
type WeightedRoundRobin struct {
	// Reported makes weights of the loads that servers report, in the way of
	// ReportedWeights.
	Reported bool `json:"reported,omitzero"`
	ReportedWeights
}

// String returns "weighted-round-robin".
func (WeightedRoundRobin) String() string { return "weighted-round-robin" }

// Picker implements [Policy].
func (w WeightedRoundRobin) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	p := &weightedRoundRobin{factors: c.factors(), bits: c.bits}
	if w.Reported {
		p.reported = new(w.ReportedWeights.withDefaults())
	}
	var rotation *rotation
	if before, ok := c.Before.(*weightedRoundRobin); ok {
		p.now.Store(before.now.Load())
		rotation = before.rotation.Load()
	}
	p.rotation.Store(p.rotate(c.Nodes, p.weights(c.Nodes), rotation))
	return p
}

type weightedRoundRobin struct {
	reported *ReportedWeights // nil: nobody asks servers
	factors  []float32        // nil: 1
	bits     uint64           // see Candidates
	rotation atomic.Pointer[rotation]
	now      atomic.Int64 // when it was refreshed
}

func (p *weightedRoundRobin) Pick(Request) *Node { return p.rotation.Load().take() }

// Mode says whether it knows enough weights.
func (p *weightedRoundRobin) Mode() Mode { return p.rotation.Load().mode }

// Refresh implements [Refresher].
func (p *weightedRoundRobin) Refresh(now time.Duration) {
	p.now.Store(int64(now))
	before := p.rotation.Load()
	p.rotation.Store(p.rotate(before.nodes, p.weights(before.nodes), before))
}

// weights returns what is known of the weight of each node, 0 for nothing.
func (p *weightedRoundRobin) weights(nodes []*Node) []float64 {
	now := time.Duration(p.now.Load())
	weights := make([]float64, len(nodes))
	for i, n := range nodes {
		weight := n.weight()
		if p.reported != nil {
			weight, _ = p.reported.of(n, now)
		}
		weights[i] = float64(weight)
	}
	return weights
}

// rotate returns the rotation by known weights. It is the one before, which may
// be nil, if that is the same.
func (p *weightedRoundRobin) rotate(nodes []*Node, weights []float64, before *rotation) *rotation {
	r := &rotation{nodes: nodes, weights: weights}
	switch known := complete(weights); {
	case known >= 2:
	case before == nil || before.mode == Cold:
		r.mode = Cold
	default:
		r.mode = Fallback
	}
	if p.reported != nil {
		for i, n := range nodes {
			weights[i] *= float64(n.weight())
		}
	}
	multiply(weights, p.factors)
	if before.of(nodes) && before.mode == r.mode && slices.Equal(before.weights, weights) {
		return before
	}
	r.stride, _ = newStride(weights)
	r.follow(before, p.bits)
	return r
}

// complete gives all that have no weight, which is a positive finite number, the
// mean of the others; if fewer than two have one, all get the same. It returns
// how many have one.
func complete(weights []float64) (known int) {
	sum := 0.0
	for i, w := range weights {
		if w > 0 && w <= math.MaxFloat32 {
			sum += w
			known++
		} else {
			weights[i] = 0
		}
	}
	for i, w := range weights {
		if known < 2 {
			weights[i] = 1
		} else if w == 0 {
			weights[i] = sum / float64(known)
		}
	}
	return known
}
