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
	aCalls, bCalls := a.outstanding.Load()>>32, b.outstanding.Load()>>32
	aPer, bPer := math.Float32frombits(a.perWeight.Load()), math.Float32frombits(b.perWeight.Load())
	if aPer != bPer && aCalls == bCalls {
		return byWeight(r.Rand, a, b, aPer, bPer)
	}
	if float32(bCalls+1)*bPer < float32(aCalls+1)*aPer {
		a = b
	}
	return a
}
