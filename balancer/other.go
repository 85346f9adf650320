package balancer

// repicks is how often the policy is asked again before the list is searched.
// With half of the instances refused, all of 1+4 picks are with probability
// 1/32.
const repicks = 4

// Other picks again for a call that cannot go to the node that was picked, or is
// not to: accepts says which nodes it may go to, and ready which it can at all, be
// it that it has been there. It finds one by the policy while that is likely to
// succeed, then by going through all of them from a random place, so that one
// that is accepted is certainly found. One that is passed over is better than one
// that is ready only, and that is returned only if there is no other. It returns
// nil if none is ready. All it draws is made of the request's bits.
func (c *Choice) Other(r Request, accepts, ready func(*Node) bool) *Node {
	bits := r.Rand
	for range repicks {
		bits++
		r.Rand = mix(bits)
		if n := c.Picker.Pick(r); n != nil && accepts(n) {
			return n
		}
	}
	first := mix(bits + 1)
	if n, _ := search(c.Eligible, first, accepts, ready); n != nil {
		return n
	}
	n, other := search(c.called, first, accepts, ready)
	if n != nil {
		return n
	}
	return other
}

// search returns the first node from some place that is accepted, and else one
// that is ready.
func search(nodes []*Node, bits uint64, accepts, ready func(*Node) bool) (accepted, other *Node) {
	first := drawOne(bits, len(nodes))
	for i := range nodes {
		n := nodes[(first+i)%len(nodes)]
		if accepts(n) {
			return n, nil
		}
		if other == nil && ready(n) {
			other = n
		}
	}
	return nil, other
}
