package balancer

import "math"

// LeastRequest draws two nodes without replacement and chooses the one with
// fewer outstanding calls for its weight (the power of two choices:
// Mitzenmacher, 2001; Envoy's LEAST_REQUEST with a choice count of 2).
func LeastRequest(nodes []*Node) Picker {
	if len(nodes) < 2 {
		return soleOf(nodes)
	}
	return leastRequest(nodes)
}

type leastRequest []*Node

func (p leastRequest) Pick(r Request) *Node {
	i, j := drawTwo(r.Rand, len(p))
	a, b := p[i], p[j]
	if b.busyness() < a.busyness() {
		return b
	}
	return a
}

func (n *Node) busyness() float32 {
	return float32(n.outstanding.Load()>>32+1) * math.Float32frombits(n.perWeight.Load())
}
