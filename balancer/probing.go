package balancer

import "sync/atomic"

// probing is a picker that sends single calls to nodes that wait for a probe,
// each at its first attempt. A probe is a call that may be lost, so that of the
// service's calls not more than every tenth is one, whoever waits.
type probing struct {
	Picker
	due   []*Node // sorted by ID
	ahead *atomic.Bool
	homes homes   // nil: keys have no places
	lost  []*Node // those that are due and no key's, since nobody is well in their part
}

// homes is a picker that gives every key a place.
type homes interface {
	// home returns the node whose place it is, be it one that is passed over at
	// the moment; nil if nobody is known there.
	home(Request) *Node
}

// probed returns the picker of the choice that sends probes, where any are due.
func (c *Choice) probed(v *View) Picker {
	if len(c.due) == 0 {
		return c.inner
	}
	p := &probing{Picker: c.inner, due: c.due, ahead: &v.inbox.ahead}
	if !keysHavePlaces(v.policy) {
		return p
	}
	p.homes, _ = c.inner.(homes)
	for i := range c.parts {
		if part := &c.parts[i]; len(c.parts) > 1 && part.well == 0 {
			p.lost = append(p.lost, who(c.due, func(n *Node) bool { return among(n, part.nodes) })...)
		}
	}
	return p
}

// oneOf is how many calls there are to a probe.
const oneOf = 10

func (p *probing) Pick(r Request) *Node {
	if n := p.probe(r); n != nil {
		return n
	}
	return p.Picker.Pick(r)
}

// probe returns the node that the call is a probe of, nil if it is none. It is
// chance which of those that wait is looked at, and when the next may be one:
// nothing is written by other calls, and none looks at all of them.
func (p *probing) probe(r Request) *Node {
	if r.Retry {
		return nil
	}
	bits := mix(r.Rand) // the policy looks at all of them as they are
	if p.ahead.Load() {
		if drawOne(bits>>32, oneOf) > 0 {
			return nil
		}
		p.ahead.Store(false)
	}
	n := p.candidate(r, bits)
	if n == nil || !n.claim(r.Now) {
		return nil
	}
	p.ahead.Store(true)
	return n
}

// candidate returns a node that the call may be the probe of. A key is not to get
// elsewhere than to its place.
func (p *probing) candidate(r Request, bits uint64) *Node {
	if p.homes == nil {
		return p.due[drawOne(bits, len(p.due))]
	}
	if n := p.homes.home(r); n != nil && among(n, p.due) {
		return n
	}
	if len(p.lost) > 0 {
		return p.lost[drawOne(bits, len(p.lost))]
	}
	return nil
}
