package balancer

import (
	"maps"
	"slices"
)

// retiered returns the choice as a forerunner under other tiers: its parts have
// the numbers that their tiers have there, so that what was learned of a tier stays
// with it and goes to no other. A tier is known by its labels.
func (c *Choice) retiered(tiers []Tier) *Choice {
	alike := func(a, b Tier) bool { return maps.Equal(a.Labels, b.Labels) }
	if slices.EqualFunc(c.tiers, tiers, alike) {
		return c
	}
	number := func(before int) int {
		if before == len(c.tiers) { // those of none
			return len(tiers)
		}
		return slices.IndexFunc(tiers, func(t Tier) bool { return alike(t, c.tiers[before]) })
	}
	r := &Choice{Nodes: c.Nodes, Eligible: c.Eligible, called: c.called, inner: c.inner, epoch: c.epoch, tiers: tiers}
	r.parts = slices.Clone(c.parts)
	for i := range r.parts {
		r.parts[i].tier = number(r.parts[i].tier)
	}
	if s, ok := c.inner.(*spread); ok {
		renamed := &spread{tiers: slices.Clone(s.tiers)}
		for i := range renamed.tiers {
			renamed.tiers[i].tier = number(renamed.tiers[i].tier)
		}
		r.inner = renamed
	}
	return r
}
