package balancer

import (
	"slices"
	"sync/atomic"
	"time"
)

// Choice is a picker, and whom it chooses among. It is immutable, save for what
// its picker keeps.
type Choice struct {
	// Nodes are those of the choice, sorted by ID, whether they can be chosen at
	// the moment or not. They must not be written to.
	Nodes []*Node
	// Eligible are those that can, of all parts, among which Picker chooses. Beside
	// them it sends single calls, as probes, to others.
	Eligible []*Node
	Picker   Picker
	// Well is how many of Called are not passed over. Where that is too few, all
	// are eligible, see [Balancing].
	Well int

	called    []*Node
	parts     []part
	tiers     []Tier  // of the parts
	inner     Picker  // of the policy, or over such
	due       []*Node // that wait for a probe
	epoch     int     // of the view
	refreshed atomic.Int64
}

// Called returns those of Nodes that calls may go to, be it at another time:
// all of them, save where a [Subset] is drawn. It is sorted by ID and must not
// be written to. It changes with the list only, and as little as that.
func (c *Choice) Called() []*Node { return c.called }

// Mode is that of the picker, or Panic.
func (c *Choice) Mode() Mode {
	for i := range c.parts {
		if p := &c.parts[i]; p.panics() {
			return Panic
		}
	}
	return ModeOf(c.inner)
}

// Refresh renews what the picker keeps, if that is a second old. It must not be
// called by two goroutines at once.
func (c *Choice) Refresh(now time.Duration) {
	r, ok := c.inner.(Refresher)
	if last := time.Duration(c.refreshed.Load()); !ok || now-last < refreshAfter && now >= last {
		return
	}
	c.refreshed.Store(int64(now))
	r.Refresh(now)
}

// refreshAfter is a little less than the second between two reviews.
const refreshAfter = 900 * time.Millisecond

// Over returns the choice among some of the view's nodes, sorted by ID, for
// those who narrow down whom a call may go to. Before is the choice in whose
// place it is, nil if there is none; it is returned again where nothing has
// changed.
func (v *View) Over(nodes []*Node, before *Choice) *Choice {
	if before == nil {
		before = &Choice{epoch: -1}
	}
	before = before.retiered(v.placement.tiers)
	c := &Choice{Nodes: nodes, epoch: v.epoch, tiers: v.placement.tiers}
	// Who is called changes with the list only, ...
	same := slices.Equal(before.Nodes, nodes)
	if same {
		c.Nodes = before.Nodes
	}
	if same && before.epoch == v.epoch {
		c.called, c.parts = before.called, slices.Clone(before.parts)
	} else {
		c.parts = v.placement.divide(c.Nodes, before.parts)
		c.called = union(c.Nodes, before.called, c.parts, func(p *part) []*Node { return p.nodes })
	}
	// ... who of those is well with how calls end, ...
	shares := v.assess(c.parts, before.parts)
	c.Eligible = union(c.called, before.Eligible, c.parts, func(p *part) []*Node { return p.eligible })
	for i := range c.parts {
		c.Well += c.parts[i].well
	}
	c.due = who(v.due, func(n *Node) bool { return among(n, c.called) })
	slices.SortFunc(c.due, byID)
	// ... and pickers with both.
	var kept bool
	if c.inner, kept = v.picker(c.parts, shares, before); kept {
		if same && c.Well == before.Well && slices.Equal(c.due, before.due) {
			return before
		}
		c.refreshed.Store(before.refreshed.Load())
	}
	c.Picker = c.probed(v)
	return c
}

// among reports whether a node is one of many, which are sorted by ID.
func among(n *Node, nodes []*Node) bool {
	_, found := slices.BinarySearchFunc(nodes, n, byID)
	return found
}
