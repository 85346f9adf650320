package balancer

import (
	"math"

	"github.com/fairlead-go/fairlead/discovery"
)

// weight returns the node's weight at the moment, which is a positive finite
// number whatever the node was told.
func (n *Node) weight() float32 {
	if per := math.Float32frombits(n.perWeight.Load()); per > 0 && per <= math.MaxFloat32 {
		return min(discovery.DefaultWeight/per, math.MaxFloat32)
	}
	return discovery.DefaultWeight
}

// weigh returns the weight of each node at the moment, times its factor. nil
// factors are 1.
func weigh(nodes []*Node, factors []float32) []float64 {
	weights := make([]float64, len(nodes))
	for i, n := range nodes {
		weights[i] = float64(n.weight())
	}
	multiply(weights, factors)
	return weights
}

func multiply(weights []float64, factors []float32) {
	for i, f := range factors {
		weights[i] *= float64(f)
	}
}

// same reports whether all weights are equal.
func same(weights []float64) bool {
	for _, w := range weights {
		if w != weights[0] {
			return false
		}
	}
	return true
}
