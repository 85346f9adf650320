package balancer

import "math"

// LeastRequest chooses the node with fewer outstanding calls for its weight, of
// two that are drawn without replacement (the power of two choices:
// Mitzenmacher, 2001; Envoy's LEAST_REQUEST with a choice count of 2).
type LeastRequest struct {
	// FullScan looks at all nodes instead of two and chooses one that has the
	// fewest outstanding calls ÷ weight; if several have, they are drawn by
	// weight (Envoy's FULL_SCAN). A choice takes time in proportion to the number
	// of nodes: that is for a few dozen, when a second call on one of them is
	// dear. Many callers that look at the same time all find the same node, and
	// one that fails fast never has a call outstanding, so that it attracts all
	// the traffic; two draws bound both.
	FullScan bool `json:"fullScan,omitzero"`
}

// String returns "least-request".
func (LeastRequest) String() string { return "least-request" }

// Picker implements [Policy].
func (l LeastRequest) Picker(c Candidates) Picker {
	switch {
	case len(c.Nodes) < 2:
		return soleOf(c.Nodes)
	case l.FullScan:
		return &fullScan{c.Nodes, c.factors()}
	}
	return &leastRequest{c.Nodes, c.factors()}
}

type leastRequest struct {
	nodes   []*Node
	factors []float32 // nil: 1
}

func (p *leastRequest) Pick(r Request) *Node {
	i, j := drawTwo(r.Rand, len(p.nodes))
	a, b := p.nodes[i], p.nodes[j]
	aCalls, bCalls := float32(a.outstanding.Load()>>32), float32(b.outstanding.Load()>>32)
	aPer, bPer := math.Float32frombits(a.perWeight.Load()), math.Float32frombits(b.perWeight.Load())
	if p.factors != nil {
		aPer /= p.factors[i]
		bPer /= p.factors[j]
	}
	if aPer != bPer {
		aCalls, bCalls = handicap(r.Rand, len(p.nodes), aPer, bPer, aCalls, bCalls)
	}
	if bCalls < aCalls {
		a = b
	}
	return a
}
