package balancer

import "slices"

// part is some nodes of a choice, of one tier and at one distance, that get a
// share of its calls.
type part struct {
	tier     int
	distance Distance

	of      int       // nodes, before some were drawn
	weight  float64   // of those; not reckoned where there is only one part
	keeps   float64   // the share of what comes to it that it has room for
	nodes   []*Node   // that were drawn
	factors []float32 // of those

	eligible []*Node
	well     int     // of the nodes
	health   float64 // 0 to 1
	picker   Picker
}

// draw leaves those of the nodes that are called.
func (p *part) draw(s Subset, nodes []*Node, earlier []part) {
	before := p.in(earlier)
	p.nodes, p.factors = s.draw(nodes, before.nodes)
	if slices.Equal(p.nodes, before.nodes) {
		p.nodes = before.nodes
	}
}

// in returns the part in whose place p is, one with nothing if there is none.
func (p *part) in(earlier []part) *part {
	for i := range earlier {
		if e := &earlier[i]; e.tier == p.tier && e.distance == p.distance {
			return e
		}
	}
	return &part{}
}

// panics reports whether it is chosen also among those that are not well.
func (p *part) panics() bool { return p.well < len(p.nodes) && len(p.eligible) > p.well }

// tiersOf returns the parts of each tier.
func tiersOf(parts []part) (tiers [][]part) {
	for len(parts) > 0 {
		n := slices.IndexFunc(parts, func(p part) bool { return p.tier != parts[0].tier })
		if n < 0 {
			n = len(parts)
		}
		tiers, parts = append(tiers, parts[:n]), parts[n:]
	}
	return tiers
}

// picker returns a picker over the parts, given the share of each tier: that of
// the only part, or one that spreads the calls. It is the one of before, and
// kept, where nothing has changed.
func (v *View) picker(parts []part, shares []float64, before *Choice) (picker Picker, kept bool) {
	kept = len(parts) == len(before.parts)
	for i := range parts {
		p := &parts[i]
		b := p.in(before.parts)
		if before.epoch == v.epoch && b.picker != nil && slices.Equal(b.nodes, p.nodes) && slices.Equal(b.eligible, p.eligible) && slices.Equal(b.factors, p.factors) {
			p.eligible, p.picker = b.eligible, b.picker
			kept = kept && p.health == b.health && p.keeps == b.keeps
			continue
		}
		kept = false
		candidates := Candidates{Nodes: p.eligible, Listed: p.nodes, Factors: p.weighed(), Before: b.picker, bits: v.bits}
		if v.inbox.attended.Load() {
			candidates.Later = v.inbox.later
		}
		p.picker = v.policy.Picker(candidates)
	}
	switch {
	case len(parts) == 1:
		return parts[0].picker, kept
	case kept:
		return before.inner, true
	}
	earlier, _ := before.inner.(*spread)
	pickers := make([]Picker, len(parts))
	for i := range parts {
		pickers[i] = parts[i].picker
	}
	tiers := make([]spreadTier, len(shares))
	for t, levels := range tiersOf(parts) {
		tiers[t] = newSpreadTier(levels, shares[t], earlier)
	}
	return newSpread(pickers, tiers, keysHavePlaces(v.policy)), false
}

// weighed returns the factors of those that are eligible.
func (p *part) weighed() []float32 {
	if p.factors == nil || len(p.eligible) == len(p.nodes) {
		return p.factors
	}
	factors := make([]float32, 0, len(p.eligible))
	for i, n := range p.nodes {
		if len(factors) < len(p.eligible) && p.eligible[len(factors)] == n {
			factors = append(factors, p.factors[i])
		}
	}
	return factors
}

// union returns those of the nodes that are in a list of a part, which is the
// earlier union where it says the same.
func union(nodes, earlier []*Node, parts []part, of func(*part) []*Node) []*Node {
	if len(parts) == 1 {
		return of(&parts[0])
	}
	count := 0
	for i := range parts {
		count += len(of(&parts[i]))
	}
	if count == len(nodes) {
		return nodes
	}
	is := make([]bool, 0, len(nodes))
	for i := range parts {
		for _, n := range of(&parts[i]) {
			is = append(is, make([]bool, max(0, n.Index()+1-len(is)))...)
			is[n.Index()] = true
		}
	}
	some := list{earlier: earlier, room: count}
	for _, n := range nodes {
		if n.Index() < len(is) && is[n.Index()] {
			some.add(n)
		}
	}
	return some.nodes()
}
