package balancer

import (
	"slices"
	"strconv"

	"github.com/fairlead-go/fairlead/discovery"
)

// newView makes the view of a snapshot, of the members that may be called. It
// shares with the view before what did not change. Announced says that an
// instance with an old node announces something new, which a policy may have
// looked at.
func (p *Pool) newView(s discovery.Snapshot, announced bool) *View {
	before := p.View()
	p.views++
	v := &View{bits: mix(p.seed + p.views), Snapshot: s, Preserved: p.guard.preserved, Announced: announced, Renewals: before.Renewals, policy: p.config.Policy, epoch: before.epoch,
		panicThreshold: p.config.PanicThreshold, placement: p.placement, Ejections: p.judge.counts, inbox: p.judge.inbox}
	if announced {
		v.epoch++
	}
	nodes := list{earlier: before.Nodes, room: len(p.members)}
	c := census{common: everything}
	for _, n := range p.members {
		switch n.standing {
		case missed, gone:
			continue
		case held:
			since, _ := n.Held()
			if until := since + p.guard.Hold; v.Held == 0 || until > v.HeldUntil {
				v.HeldUntil = until
			}
			v.Held++
		}
		nodes.add(n)
		c.count(n)
		v.Ignored += int(n.ignored)
		if n.forbidden > 0 {
			v.forbid(n, p.config.Reach)
		}
	}
	v.Nodes = nodes.nodes()
	v.takeNote(p.judge.known, p.indexes)
	for i, name := range p.protocols.names {
		v.choose(name, 1<<i, c, before)
	}
	v.choose(whatever, anything, c, before)
	v.called = countCalled(v.choices, len(v.Nodes))
	return v
}

// countCalled counts whom calls may go to by any of the choices. Those of several
// protocols are often the same.
func countCalled(choices []*Choice, room int) (count int) {
	if len(choices) == 1 {
		return len(choices[0].called)
	}
	seen := make([]bool, room)
	for _, c := range choices {
		for _, n := range c.called {
			seen = append(seen, make([]bool, max(0, n.Index()+1-len(seen)))...)
			if !seen[n.Index()] {
				seen[n.Index()] = true
				count++
			}
		}
	}
	return count
}

// census is who speaks what in a list of nodes.
type census struct {
	serving, draining protocolSet // spoken by some of them
	common            protocolSet // spoken by all that serve
	drain             int         // how many drain
}

func (c *census) count(n *Node) {
	if n.draining {
		c.draining |= n.protocols
		c.drain++
	} else {
		c.serving |= n.protocols
		c.common &= n.protocols
	}
}

// choose adds the choice of one protocol, if there is one. Instances that
// drain are passed over as long as there are others: one that drains still
// answers, and that beats having nobody to ask.
func (v *View) choose(name discovery.Protocol, bit protocolSet, c census, before *View) {
	if (c.serving|c.draining)&bit == 0 {
		return
	}
	draining := c.serving&bit == 0
	nodes, earlier := v.Nodes, before.Choice(name)
	if c.drain > 0 || c.common&bit == 0 {
		some := list{room: len(v.Nodes)}
		if earlier != nil {
			some.earlier = earlier.Nodes
		}
		for _, n := range v.Nodes {
			if n.draining == draining && n.protocols&bit != 0 {
				some.add(n)
			}
		}
		nodes = some.nodes()
	}
	number := slices.IndexFunc(v.choices, func(known *Choice) bool { return slices.Equal(known.Nodes, nodes) })
	if number < 0 {
		number = len(v.choices)
		v.choices = append(v.choices, v.Over(nodes, earlier))
	}
	v.speakers = append(v.speakers, speakers{name, number, v.choices[number]})
}

// forbid takes note of the endpoints of a node that may not be called.
func (v *View) forbid(n *Node, reach discovery.Reach) {
	v.Forbidden += int(n.forbidden)
	if len(v.Violations) == discovery.MaxRefusals {
		return
	}
	_, passed := reach.Endpoints(n.Instance())
	for _, e := range passed.Forbidden {
		if len(v.Violations) < discovery.MaxRefusals {
			v.Violations = append(v.Violations, discovery.Refusal{Key: n.ID(), Reason: strconv.Quote(e.Addr) + ": " + e.Reason})
		}
	}
}
