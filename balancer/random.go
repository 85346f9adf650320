package balancer

// Random chooses every node with the same probability.
type Random struct{}

// String returns "random".
func (Random) String() string { return "random" }

// Picker implements [Policy].
func (Random) Picker(c Candidates) Picker {
	if len(c.Nodes) < 2 {
		return soleOf(c.Nodes)
	}
	return random(c.Nodes)
}

type random []*Node

func (p random) Pick(r Request) *Node { return p[drawOne(r.Rand, len(p))] }
