package balancer

import "math"

// LeastRequest draws two nodes without replacement and chooses the one with
// fewer outstanding calls for its weight (the power of two choices:
// Mitzenmacher, 2001; Envoy's LEAST_REQUEST with a choice count of 2).
type LeastRequest struct{}

// String returns "least-request".
func (LeastRequest) String() string { return "least-request" }

// Picker implements [Policy].
func (LeastRequest) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	return &leastRequest{c.Nodes, c.Factors}
}

type leastRequest struct {
	nodes   []*Node
	factors []float32 // nil: 1
}

func (p *leastRequest) Pick(r Request) *Node {
	i, j := drawTwo(r.Rand, len(p.nodes))
	a, b := p.nodes[i], p.nodes[j]
	aCalls, bCalls := a.outstanding.Load()>>32, b.outstanding.Load()>>32
	aPer, bPer := math.Float32frombits(a.perWeight.Load()), math.Float32frombits(b.perWeight.Load())
	if p.factors != nil {
		aPer /= p.factors[i]
		bPer /= p.factors[j]
	}
	if aPer != bPer && aCalls == bCalls {
		return byWeight(r.Rand, a, b, aPer, bPer)
	}
	if float32(bCalls+1)*bPer < float32(aCalls+1)*aPer {
		a = b
	}
	return a
}
