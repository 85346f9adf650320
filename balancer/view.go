package balancer

import (
	"slices"
	"strconv"

	"github.com/fairlead-go/fairlead/discovery"
)

// View is one service at one moment: its nodes and, per protocol, a picker
// over those that may be chosen. It is immutable.
type View struct {
	// Snapshot is what the view was made from. It must not be written to.
	Snapshot discovery.Snapshot
	// Nodes are all instances of the snapshot, in its order.
	Nodes []*Node
	// Ignored counts unix endpoints passed over because they are not allowed.
	Ignored int
	// Forbidden counts endpoints passed over because the address policy forbids
	// them, Violations says of which instances and why, at most
	// discovery.MaxRefusals of them. An instance with no other endpoints is
	// among Nodes and is never chosen.
	Forbidden  int
	Violations []discovery.Refusal

	choices []choice // the last may be for any protocol that has none
}

// choice is what one protocol may choose from.
type choice struct {
	protocol discovery.Protocol
	nodes    []*Node
	picker   Picker
}

// Picker returns the picker for protocol p, or nil if no instance can be
// reached by it.
func (v *View) Picker(p discovery.Protocol) Picker {
	if c := v.choice(p); c != nil {
		return c.picker
	}
	return nil
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
	for i := range v.choices {
		if c := &v.choices[i]; c.protocol == p || c.protocol == whatever {
			return c
		}
	}
	return nil
}

// passOver takes note of the endpoints of an instance that may not be used.
func (v *View) passOver(r *record) {
	v.Ignored += r.passed.Ignored
	v.Forbidden += len(r.passed.Forbidden)
	for _, e := range r.passed.Forbidden {
		if len(v.Violations) < discovery.MaxRefusals {
			v.Violations = append(v.Violations, discovery.Refusal{Key: r.instance.ID, Reason: strconv.Quote(e.Addr) + ": " + e.Reason})
		}
	}
}

// choose builds the choices of a finished list of nodes. Instances that drain
// are passed over as long as there are others: one that drains still answers,
// and that beats having nobody to ask.
func (v *View) choose(policy Policy, protocols []discovery.Protocol) {
	var before choice
	for _, p := range protocols {
		var serving, draining []*Node
		for _, n := range v.Nodes {
			switch {
			case n.Endpoint(p) == "":
			case n.Instance().Draining:
				draining = append(draining, n)
			default:
				serving = append(serving, n)
			}
		}
		if len(serving) == 0 {
			serving = draining
		}
		if len(serving) == 0 {
			continue
		}
		now := choice{protocol: p, nodes: serving}
		if slices.Equal(serving, before.nodes) {
			now.nodes, now.picker = before.nodes, before.picker
		} else {
			now.picker = policy(serving)
		}
		v.choices, before = append(v.choices, now), now
	}
}
