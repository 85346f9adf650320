package balancer

import (
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// View is one service at one moment: its nodes and, per protocol, a picker
// over those that may be chosen. It is immutable.
type View struct {
	// Snapshot is what the view was made from. It must not be written to.
	Snapshot discovery.Snapshot
	// Nodes are all instances of the snapshot and those held beyond it, sorted
	// by ID.
	Nodes []*Node
	// Held is how many of the nodes are not in the snapshot, see [Protection].
	Held int
	// HeldUntil is when the last of them is let go of at the latest, if the
	// registry is heard until then.
	HeldUntil time.Duration
	// Preserved counts all that were ever held, and what became of them.
	Preserved Preserved
	// Ignored counts unix endpoints passed over because they are not allowed.
	Ignored int
	// Forbidden counts endpoints passed over because the address policy forbids
	// them, Violations says of which instances and why, at most
	// discovery.MaxRefusals of them. An instance with no other endpoints is
	// among Nodes and is never chosen.
	Forbidden  int
	Violations []discovery.Refusal
	// Announced says that an instance which has its node from before announces
	// something new, which what was derived from it may have looked at.
	Announced bool
	// Renewals counts how often the pool was told that something else changed
	// which calls go by, see [Pool.Renew].
	Renewals int

	choices []choice // the last may be for any protocol that has none
}

// choice is what one protocol may choose from.
type choice struct {
	protocol discovery.Protocol
	nodes    []*Node
	picker   Picker
}

// Choice returns the number of the nodes that protocol p may choose from, in
// this view only, or -1 if no instance can be reached by it.
func (v *View) Choice(p discovery.Protocol) int {
	for i := range v.choices {
		if c := &v.choices[i]; c.protocol == p || c.protocol == whatever {
			return i
		}
	}
	return -1
}

// Picker returns the picker for protocol p, or nil if no instance can be
// reached by it.
func (v *View) Picker(p discovery.Protocol) Picker {
	if c := v.choice(p); c != nil {
		return c.picker
	}
	return nil
}

// Candidates returns Eligible(p) and Picker(p).
func (v *View) Candidates(p discovery.Protocol) ([]*Node, Picker) {
	if c := v.choice(p); c != nil {
		return c.nodes, c.picker
	}
	return nil, nil
}

// Eligible returns the nodes that Picker(p) chooses from. It must not be
// written to.
func (v *View) Eligible(p discovery.Protocol) []*Node {
	if c := v.choice(p); c != nil {
		return c.nodes
	}
	return nil
}

func (v *View) choice(p discovery.Protocol) *choice {
	if i := v.Choice(p); i >= 0 {
		return &v.choices[i]
	}
	return nil
}

// Diff returns the nodes that only one of two views has: those that left with
// the later one, and those that came. Its cost is that of comparing pointers.
func Diff(earlier, later []*Node) (left, came []*Node) {
	for len(earlier) > 0 && len(later) > 0 {
		a, b := earlier[0], later[0]
		if a == b {
			earlier, later = earlier[1:], later[1:]
			continue
		}
		order := strings.Compare(a.ID(), b.ID())
		if order <= 0 {
			left, earlier = append(left, a), earlier[1:]
		}
		if order >= 0 {
			came, later = append(came, b), later[1:]
		}
	}
	return append(left, earlier...), append(came, later...)
}
