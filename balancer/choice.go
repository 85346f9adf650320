package balancer

import "slices"

// Choice is a picker, and whom it chooses among. It is immutable, save for what
// its picker keeps.
type Choice struct {
	// Nodes are those of the choice, sorted by ID, whether they can be chosen at
	// the moment or not. They must not be written to.
	Nodes []*Node
	// Eligible are those that can, among which Picker chooses.
	Eligible []*Node
	Picker   Picker

	epoch int // of the view
}

// Over returns the choice among some of the view's nodes, sorted by ID, for
// those who narrow down whom a call may go to. Before is the choice in whose
// place it is, nil if there is none; it is returned again where nothing has
// changed.
func (v *View) Over(nodes []*Node, before *Choice) *Choice {
	c := Candidates{Nodes: nodes}
	if before != nil {
		if slices.Equal(before.Nodes, nodes) {
			if nodes = before.Nodes; before.epoch == v.epoch {
				return before
			}
		}
		c.Before = before.Picker
	}
	return &Choice{Nodes: nodes, Eligible: nodes, Picker: v.policy.Picker(c), epoch: v.epoch}
}
