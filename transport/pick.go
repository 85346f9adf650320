package transport

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// errNobodyElse is why a second attempt is not made: it would go where the first
// is, or wait for a connection, and the first with it if that fails.
var errNobodyElse = errors.New("there is no other instance for a second attempt")

// pick chooses the instance of an attempt. The error is ErrNotReady,
// errNobodyElse or balancer.ErrNoInstances.
func (c *course) pick(call *Call, gate Gate, now time.Duration, bits uint64) (*balancer.Node, error) {
	choice := c.choice(call)
	var node *balancer.Node
	if choice != nil {
		if call.tolerance == rule.Available {
			node = firstOf(choice, func(n *balancer.Node) bool { return call.accepts(n, gate) })
		} else {
			node = choice.Picker.Pick(balancer.Request{Now: now, Rand: bits, Key: call.Key, Retry: call.isRetry()})
		}
		if node != nil && (call.isRetry() || gate != nil) && !call.accepts(node, gate) {
			node.Unsent(now)
			node = repick(choice, call, gate, now)
		}
	}
	if call.isSecond() && (node == nil || call.was(node) && !c.service.mesh.options.many) {
		return nil, errNobodyElse
	}
	if node != nil && call.isFarSought() && call.wasNear(node) {
		if other := inAnotherZone(choice, call, gate, bits); other != nil {
			node.Unsent(now)
			node = other
		}
	}
	if choice != nil && node == nil && opening(gate) {
		return nil, ErrNotReady // soon; the fallback is for those that fail
	}
	if call.narrowed() && call.only == nil && (node == nil || call.last || call.picks > 0 || choice.Well == 0 || node.Failing(now)) {
		if other := c.instead(call, choice, node, gate, now); other != nil {
			return other, nil
		}
	}
	switch {
	case choice == nil:
		return nil, balancer.ErrNoInstances
	case node == nil:
		return nil, ErrNotReady
	}
	return node, nil
}

// reaches reports whether there is an instance that a call can go to.
func (c *course) reaches(call *Call) bool { return c.choice(call) != nil }

// choice returns what a call may choose from before any fallback, nil if there is
// nobody.
func (c *course) choice(call *Call) *balancer.Choice {
	if call.only != nil {
		return sole(call.only)
	}
	if call.pin != "" {
		return c.pinned(call)
	}
	return c.candidates(call, call.narrowing)
}

// candidates returns whom a narrowing leaves a call, nil if that is nobody. It
// goes by its own rules, also when there are newer ones: no call sees a mixture
// of two.
func (c *course) candidates(call *Call, n rule.Narrowing) *balancer.Choice {
	switch call.table {
	case nil:
		return c.view.Choice(call.Protocol)
	case c.table:
		return c.some(n, call.Protocol)
	}
	choice := c.narrow(call.table, n, call.Protocol, nil)
	if choice != nil {
		c.ask(call.Protocol, choice.Called())
	}
	return choice
}

// instead picks among the instances of the fallback, where a call's route has
// one and its own instances are none, are not ready, have all been tried, or all
// fail; and for the last attempt of a call, which none of them is to waste. It
// returns nil where the call is not to leave them.
func (c *course) instead(call *Call, choice *balancer.Choice, node *balancer.Node, gate Gate, now time.Duration) *balancer.Node {
	other, ok := call.table.Fallback(call.narrowing)
	if !ok || node != nil && !call.last && !call.was(node) && (node.Probes(now) || choice.Well > 0 && !(node.Failing(now) && allFailing(choice.Eligible, now))) {
		return nil
	}
	if choice = c.candidates(call, other); choice == nil {
		return nil
	}
	n := choice.Picker.Pick(balancer.Request{Now: now, Rand: rand.Uint64(), Key: call.Key, Retry: call.isRetry()})
	if n != nil && !call.accepts(n, gate) {
		n.Unsent(now)
		n = repick(choice, call, gate, now)
	}
	if n != nil && node != nil && call.was(n) && !call.was(node) {
		return nil // the fallback has nobody new
	}
	return n
}

func allFailing(nodes []*balancer.Node, now time.Duration) bool {
	for _, n := range nodes {
		if !n.Failing(now) {
			return false
		}
	}
	return true
}

// isFarSought reports whether the attempt is to go to another zone than those
// before, where there is one: the third does, and one that is made beside another.
// What two instances of a zone, or one that is slow, have in common may be the zone.
func (c *Call) isFarSought() bool { return c.picks >= 2 || c.isSecond() }

// mostFarSought bounds the search for an instance of another zone.
const mostFarSought = 64

// inAnotherZone finds a node in a zone to which no attempt of the call went, nil if
// there is none among some of those that are well.
func inAnotherZone(choice *balancer.Choice, call *Call, gate Gate, bits uint64) *balancer.Node {
	all := choice.Eligible
	first := int(bits >> 32 * uint64(len(all)) >> 32)
	for i := range min(len(all), mostFarSought) {
		if n := all[(first+i)%len(all)]; n.Instance().Zone != "" && !call.wasNear(n) && call.accepts(n, gate) {
			return n
		}
	}
	return nil
}

// repick finds another node after a refusal, an untried one if there is any.
func repick(choice *balancer.Choice, call *Call, gate Gate, now time.Duration) *balancer.Node {
	return choice.Other(balancer.Request{Now: now, Rand: rand.Uint64(), Key: call.Key, Retry: true},
		func(n *balancer.Node) bool { return call.accepts(n, gate) },
		func(n *balancer.Node) bool { return gate == nil || gate.Ready(n) })
}

// isRetry reports whether another attempt of the call was made before, or is on
// its way.
func (c *Call) isRetry() bool { return c.picks > 0 || c.follows }

// isSecond reports whether it is made beside another attempt of the same call.
func (c *Call) isSecond() bool { return c.race != nil && c.follows }

// accepts is the gate with the ledger: no attempt goes where one of this call
// went before.
func (c *Call) accepts(n *balancer.Node, gate Gate) bool {
	return !c.was(n) && (gate == nil || gate.Ready(n))
}
