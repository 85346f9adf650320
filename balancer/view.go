package balancer

import (
	"iter"
	"slices"
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

	// Outages are the nodes that are passed over for a while, and Ejections count
	// all that ever were, by reason.
	Outages   []Outage
	Ejections Ejections

	reasons        []Reason // why nodes are passed over, by their numbers; nil: none is
	due            []*Node  // that wait for a probe
	panicThreshold float64
	placement      *placement
	inbox          *inbox // of the pool

	policy   Policy
	epoch    int // raised with whatever pickers may have looked at
	bits     uint64
	choices  []*Choice
	called   int        // how many nodes calls may go to
	speakers []speakers // the last may be for any protocol that has none
}

// speakers says which choice a protocol has.
type speakers struct {
	protocol discovery.Protocol
	number   int
	choice   *Choice
}

// Number returns that of the choice that protocol p has, in this view only, or
// -1 if no instance can be reached by it.
func (v *View) Number(p discovery.Protocol) int {
	if s := v.speakersOf(p); s != nil {
		return s.number
	}
	return -1
}

// Choice returns the choice that protocol p has, nil if no instance can be
// reached by it.
func (v *View) Choice(p discovery.Protocol) *Choice {
	if s := v.speakersOf(p); s != nil {
		return s.choice
	}
	return nil
}

func (v *View) speakersOf(p discovery.Protocol) *speakers {
	for i := range v.speakers {
		if s := &v.speakers[i]; s.protocol == p || s.protocol == whatever {
			return s
		}
	}
	return nil
}

// Choices yields the choice of each protocol that instances name, and that of
// all others under "".
func (v *View) Choices() iter.Seq2[discovery.Protocol, *Choice] {
	return func(yield func(discovery.Protocol, *Choice) bool) {
		for _, s := range v.speakers {
			if !yield(s.protocol, s.choice) {
				return
			}
		}
	}
}

// Policy returns the policy by which it chooses.
func (v *View) Policy() Policy { return policyOr(v.policy) }

// Picker returns the picker of Choice(p), nil if there is none.
func (v *View) Picker(p discovery.Protocol) Picker {
	if c := v.Choice(p); c != nil {
		return c.Picker
	}
	return nil
}

// Eligible returns those that Picker(p) chooses from. It must not be written
// to.
func (v *View) Eligible(p discovery.Protocol) []*Node {
	if c := v.Choice(p); c != nil {
		return c.Eligible
	}
	return nil
}

// refresh renews what the pickers keep.
func (v *View) refresh(now time.Duration) {
	for _, c := range v.choices {
		c.Refresh(now)
	}
}

// ages reports whether a picker keeps something that ages.
func (v *View) ages() bool {
	return slices.ContainsFunc(v.choices, func(c *Choice) bool {
		_, ok := c.inner.(Refresher)
		return ok
	})
}

// byID is the order of nodes.
func byID(a, b *Node) int { return strings.Compare(a.ID(), b.ID()) }

// Diff returns the nodes that only one of two views has: those that left with
// the later one, and those that came. Its cost is that of comparing pointers.
func Diff(earlier, later []*Node) (left, came []*Node) {
	for len(earlier) > 0 && len(later) > 0 {
		a, b := earlier[0], later[0]
		if a == b {
			earlier, later = earlier[1:], later[1:]
			continue
		}
		order := byID(a, b)
		if order <= 0 {
			left, earlier = append(left, a), earlier[1:]
		}
		if order >= 0 {
			came, later = append(came, b), later[1:]
		}
	}
	return append(left, earlier...), append(came, later...)
}
