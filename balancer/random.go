package balancer

// Random chooses every node with the same probability.
func Random(nodes []*Node) Picker {
	if len(nodes) < 2 {
		return soleOf(nodes)
	}
	return random(nodes)
}

type random []*Node

func (p random) Pick(r Request) *Node { return p[drawOne(r.Rand, len(p))] }
