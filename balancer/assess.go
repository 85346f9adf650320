package balancer

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
