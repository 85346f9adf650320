package balancer

import (
	"slices"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/discovery"
)

// A table that is dear is made later, while calls go by the one before. Both
// figures are about 10 ms of work.
const (
	dearNodes = 2_000
	dearSize  = 300_000
)

// table is slots and the instances they lead to, by place, sorted by ID.
type table struct {
	slots
	made []*discovery.Instance
}

// lineage is what a picker shares with those that it replaces.
type lineage struct {
	newest  atomic.Pointer[table] // made last, be it for one that was replaced in the meantime
	waiting atomic.Pointer[keyed] // the picker that wants one next: of many that replace each other, the last
}

func newKeyed(policy tabler, factor float64, c Candidates) Picker {
	if len(c.Listed) == 0 || !includes(c.Listed, c.Nodes) {
		c.Listed = c.Nodes
	}
	if len(c.Listed) < 2 {
		return soleOf(c.Nodes)
	}
	p := &keyed{policy: policy, factor: factor, nodes: c.Nodes, listed: sorted(c.Listed)}
	var known []*table
	if before, ok := c.Before.(*keyed); ok && before.policy == policy {
		p.lineage = before.lineage
		known = []*table{&before.seating.Load().table, p.lineage.newest.Load()}
	} else {
		p.lineage = &lineage{}
	}
	for _, t := range known {
		if t.madeOf(c.Listed) {
			p.lineage.waiting.Store(nil)
			p.seat(t, t.seats(p.nodes), false)
			return p
		}
	}
	p.nodes = sorted(c.Nodes)
	for _, n := range p.listed {
		p.wanted = append(p.wanted, n.Instance())
	}
	if !p.wait(known, c.Later) {
		p.lineage.waiting.Store(nil)
		p.build()
	}
	return p
}

// wait has the table made later, if that is worth it and one of the others can
// do until then. It must know half of the nodes, or they would have more than
// twice their share.
func (p *keyed) wait(known []*table, later func(func())) bool {
	if later == nil || len(p.wanted) <= dearNodes && p.policy.size(p.wanted) <= dearSize {
		return false
	}
	var best *table
	var seats []*Node
	most := (len(p.nodes) + 1) / 2
	for _, t := range known {
		nodes := t.seats(p.nodes)
		if seated := len(who(nodes, isThere)); seated >= most {
			best, seats, most = t, nodes, seated
		}
	}
	if best == nil {
		return false
	}
	p.seat(best, seats, true)
	p.lineage.waiting.Store(p)
	later(func() {
		if p.lineage.waiting.CompareAndSwap(p, nil) {
			p.build()
		}
	})
	return true
}

// build makes the table that is wanted, once, and goes by it from then on.
func (p *keyed) build() {
	if p.begun.Swap(true) {
		return
	}
	t := &table{newSlots(p.policy.claim(p.wanted), len(p.wanted)), p.wanted}
	p.lineage.newest.Store(t)
	p.seat(t, t.seats(p.nodes), false)
}

func (p *keyed) seat(t *table, nodes []*Node, stale bool) {
	s := &seating{table: *t, nodes: nodes, stale: stale}
	if p.factor != 0 {
		s.bound = newBound(p.factor, nodes, t.made)
	}
	p.seating.Store(s)
}

// madeOf reports whether the table is that of nodes: their IDs and weights are
// all that matters to it.
func (t *table) madeOf(nodes []*Node) bool {
	return slices.EqualFunc(t.made, nodes, func(i *discovery.Instance, n *Node) bool {
		j := n.Instance()
		return i == j || i.ID == j.ID && keyWeight(i) == keyWeight(j)
	})
}

// seats returns the nodes by place, nil where none of them has the ID.
func (t *table) seats(nodes []*Node) []*Node {
	seats := make([]*Node, len(t.made))
	for place, i := range t.made {
		for len(nodes) > 0 && nodes[0].Instance() != i && nodes[0].ID() < i.ID {
			nodes = nodes[1:]
		}
		if len(nodes) > 0 && (nodes[0].Instance() == i || nodes[0].ID() == i.ID) {
			seats[place], nodes = nodes[0], nodes[1:]
		}
	}
	return seats
}

// includes reports whether some nodes are among others, in the same order.
func includes(nodes, some []*Node) bool {
	for _, n := range nodes {
		if len(some) > 0 && some[0] == n {
			some = some[1:]
		}
	}
	return len(some) == 0
}

// sorted returns nodes sorted by ID, which they should have been.
func sorted(nodes []*Node) []*Node {
	if !slices.IsSortedFunc(nodes, byID) {
		nodes = slices.Clone(nodes)
		slices.SortStableFunc(nodes, byID)
	}
	return nodes
}

func isThere(n *Node) bool { return n != nil }
