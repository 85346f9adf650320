package balancer

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
