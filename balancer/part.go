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

// assess sees who of the parts' nodes is well, and returns what share of the
// calls each tier gets for that.
func (v *View) assess(parts, earlier []part) []float64 {
	if len(parts) == 1 { // nobody can relieve it
		p := &parts[0]
		p.eligible, p.well = v.eligible(p.nodes, p.in(earlier).eligible, false)
		return nil
	}
	tiers := tiersOf(parts)
	health := make([]float64, len(tiers))
	spare := make([]bool, len(tiers)) // some levels have for others
	for t, levels := range tiers {
		of, well := 0.0, 0.0
		each := make([]float64, len(levels))
		for l := range levels {
			p := &levels[l]
			share := v.wellOf(p.nodes)
			p.health = healthOf(share, 1)
			each[l] = p.health
			of += p.weight
			well += p.weight * share
		}
		health[t] = healthOf(well, of)
		_, spare[t] = fill(each)
	}
	shares, enough := fill(health)
	for t, levels := range tiers {
		for l := range levels {
			p := &levels[l]
			p.eligible, p.well = v.eligible(p.nodes, p.in(earlier).eligible, enough || spare[t])
		}
	}
	return shares
}

// wellOf returns the share of the nodes that is well, by weight.
func (v *View) wellOf(nodes []*Node) float64 {
	if len(v.Outages) == 0 {
		return 1
	}
	well, all := 0.0, 0.0
	for _, n := range nodes {
		weight := n.announced()
		if all += weight; v.outage(n) == 0 {
			well += weight
		}
	}
	return well / max(all, 1)
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
		p.picker = v.policy.Picker(Candidates{Nodes: p.eligible, Listed: p.nodes, Factors: p.weighed(), Before: b.picker})
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

// Part is some of a choice's nodes, of the same tier and at the same distance,
// which get a share of its calls.
type Part struct {
	Tier     string   // its name; "": there are no tiers, or the instances are of none
	Distance Distance // Anywhere: distances do not matter
	// Instances counts the part's own; Called are those of them that a [Subset]
	// left, and Eligible those that can be chosen now. The lists must not be
	// written to.
	Instances        int
	Called, Eligible []*Node
	Well             int     // of Called
	Share            float64 // of the calls, now
	Mode             Mode
}

// Parts returns the parts of the choice, the most preferred first, as they are
// now.
func (c *Choice) Parts() []Part {
	shares := []float64{1}
	if s, ok := c.inner.(*spread); ok {
		shares = s.shares()
	}
	parts := make([]Part, len(c.parts))
	for i := range c.parts {
		p := &c.parts[i]
		mode := ModeOf(p.picker)
		if p.panics() {
			mode = Panic
		}
		parts[i] = Part{c.tierName(p.tier), p.distance, p.of, p.nodes, p.eligible, p.well, shares[i], mode}
	}
	return parts
}

func (c *Choice) tierName(number int) string {
	if number < len(c.tiers) {
		return c.tiers[number].Name
	}
	return ""
}
