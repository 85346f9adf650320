package balancer

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// membership is what the pool knows of a node. It is guarded by the pool's
// lock.
type membership struct {
	standing  standing
	draining  bool          // when last seen
	ignored   uint8         // unix endpoints that are not allowed
	forbidden uint8         // endpoints of an address that is not allowed
	protocols protocolSet   // by which it can be reached
	left      time.Duration // when it left the list; once let go of: when that was
}

type standing uint8

const (
	listed standing = iota
	held            // missed, and in the view nevertheless
	missed          // vanished without a reason that is known
	gone            // for good, as far as is known
)

// remembered is how long a node that left is kept: an instance that comes back
// with the same ID after a blip of its registration finds its statistics.
const remembered = 5 * time.Minute

// changes are what a snapshot changed.
type changes struct {
	announced bool                  // an instance that has its node still announces something new
	came      []*discovery.Instance // that were not on the last list
	vanished  []*Node               // that were, and left without a reason that is known
}

// merge makes the members those of a snapshot, and of the past. Both are
// sorted by ID and walked side by side.
func (p *Pool) merge(instances []*discovery.Instance, now time.Duration) (c changes) {
	before := p.members
	members := list{earlier: before, room: max(len(before), len(instances))}
	for _, i := range instances {
		for len(before) > 0 && before[0].Instance() != i && before[0].ID() < i.ID {
			p.leave(&members, before[0], now, &c)
			before = before[1:]
		}
		var known *Node
		if len(before) > 0 && (before[0].Instance() == i || before[0].ID() == i.ID) {
			known, before = before[0], before[1:]
		}
		if known == nil || known.standing != listed {
			c.came = append(c.came, i)
		}
		n := known
		if known == nil || known.standing != listed || known.Instance() != i {
			n = p.admit(known, i, now)
			c.announced = c.announced || n == known
		}
		members.add(n)
	}
	for _, n := range before {
		p.leave(&members, n, now, &c)
	}
	p.members = members.nodes()
	if p.protocols.crowded {
		p.protocols.renumber(p.members)
	}
	return c
}

// admit returns the node of an instance: its old one, or a new one where there
// is none or the instance now lives somewhere else.
func (p *Pool) admit(known *Node, i *discovery.Instance, now time.Duration) *Node {
	stayed := known != nil && known.standing < missed // a held one was called all the time
	if known != nil && known.standing != listed {
		p.guard.release(known, &p.guard.preserved.Returned, now)
	}
	endpoints, passed := p.config.Reach.Endpoints(i)
	n := known
	if known == nil || known.forgotten(now) || !slices.Equal(known.endpoints, endpoints) {
		n = &Node{endpoints: endpoints, index: p.index(known), inbox: p.judge.inbox}
		n.protocols = p.protocols.of(endpoints)
		p.judge.welcome(n)
		if known != nil { // somebody else is there now
			known.standing, known.left = gone, now
		}
	}
	n.standing, n.draining = listed, i.Draining
	n.ignored, n.forbidden = uint8(passed.Ignored), uint8(len(passed.Forbidden))
	n.instance.Store(i)
	n.rate(p.seed)
	switch {
	case stayed && n == known:
		p.nursery.weigh(n, now)
	case p.listed:
		p.nursery.admit(n, 0, now)
	default:
		p.nursery.admit(n, ageOf(i, now), now)
	}
	return n
}

// index returns the number of a new node: that of the one whose place it
// takes, a free one, or the next.
func (p *Pool) index(known *Node) int32 {
	if known != nil {
		return known.index
	}
	if last := len(p.free) - 1; last >= 0 {
		index := p.free[last]
		p.free = p.free[:last]
		return index
	}
	p.indexes++
	return p.indexes - 1
}

// leave keeps a node that is not on the list any more, until it is forgotten.
func (p *Pool) leave(members *list, n *Node, now time.Duration, c *changes) {
	if n.standing == listed {
		n.standing, n.left = gone, now
		if p.guard.misses(n) {
			n.standing = missed
			c.vanished = append(c.vanished, n)
		}
	}
	if n.forgotten(now) {
		p.free = append(p.free, n.index)
		return
	}
	members.add(n)
}

// forgotten reports whether the node left long ago and has no call
// outstanding.
func (n *Node) forgotten(now time.Duration) bool {
	return n.standing >= missed && now-n.left > remembered && n.Outstanding() == 0
}
