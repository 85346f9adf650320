package balancer

import "time"

// weightOf returns the weight that [WeightedRoundRobin] gives a node at the
// moment, 0 if nothing is known of it.
func weightOf(n *Node, _ time.Duration) float32 { return n.weight() }
