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
	// Eligible are those that can, among which Picker chooses. Beside them it
	// sends single calls, as probes, to others.
	Eligible []*Node
	Picker   Picker
	// Well is how many of Nodes are not passed over. Where that is too few, all
	// are eligible, see [Balancing].
	Well int

	inner     Picker  // of the policy
	due       []*Node // that wait for a probe
	epoch     int     // of the view
	refreshed atomic.Int64
}

// Mode is that of the picker, or Panic.
func (c *Choice) Mode() Mode {
	if c.Well < len(c.Nodes) && len(c.Eligible) > c.Well {
		return Panic
	}
	return ModeOf(c.inner)
}

// Probes reports whether a call to a node of the choice is its probe.
func (c *Choice) Probes(n *Node) bool { return slices.Contains(c.due, n) }

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
	if slices.Equal(before.Nodes, nodes) {
		nodes = before.Nodes
	}
	c := &Choice{Nodes: nodes, epoch: v.epoch}
	c.Eligible, c.Well = v.eligible(nodes, before.Eligible)
	c.due = who(v.due, func(n *Node) bool { return among(n, nodes) })
	if before.epoch == c.epoch && slices.Equal(before.Nodes, nodes) && slices.Equal(before.Eligible, c.Eligible) {
		if c.inner = before.inner; before.Well == c.Well && slices.Equal(before.due, c.due) {
			return before
		}
		c.refreshed.Store(before.refreshed.Load())
	} else {
		candidates := Candidates{Nodes: c.Eligible, Listed: nodes, Before: before.inner}
		if v.inbox.attended.Load() {
			candidates.Later = v.inbox.later
		}
		c.inner = v.policy.Picker(candidates)
	}
	if c.Picker = c.inner; len(c.due) > 0 {
		c.Picker = &probing{c.inner, c.due}
	}
	return c
}

// among reports whether a node is one of many, which are sorted by ID.
func among(n *Node, nodes []*Node) bool {
	_, found := slices.BinarySearchFunc(nodes, n, byID)
	return found
}
