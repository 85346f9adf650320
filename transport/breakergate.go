package transport

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/rule"
)

// gateRepicks is how many instances may refuse a call before it goes to the last
// of them nonetheless.
const gateRepicks = 3

// gate is that part of stage 10 which is the instance's breaker. Whoever is refused
// goes to another.
func (b *breakers) gate(c *course, call *Call, n *balancer.Node, gate Gate, now time.Duration) (*balancer.Node, breaker.Ticket, error) {
	its := b.ofNode(n)
	ticket, err := its.Allow()
	if err == nil {
		return n, ticket, nil
	}
	if its.Mode() == breaker.ForcedOpen { // as all are
		n.Unsent(now)
		return nil, breaker.Ticket{}, err
	}
	n, ticket = b.elsewhere(c, call, n, gate, now)
	return n, ticket, nil
}

// elsewhere finds an instance in the place of one that is broken off. Where several
// are, there is something wrong with all, and a call to one of them is better than
// none: that is the panic mode of breakers.
func (b *breakers) elsewhere(c *course, call *Call, n *balancer.Node, gate Gate, now time.Duration) (*balancer.Node, breaker.Ticket) {
	choice, refused := c.choice(call), []*balancer.Node{n}
	accepts := func(n *balancer.Node) bool {
		return !slices.Contains(refused, n) && call.accepts(n, gate) && !call.plan.limits.full(n, call.Priority)
	}
	for range gateRepicks {
		other := another(choice, call, accepts, accepts, now)
		if other == nil {
			break
		}
		n.Unsent(now)
		n = other
		if ticket, err := b.ofNode(n).Allow(); err == nil {
			return n, ticket
		}
		refused = append(refused, n)
	}
	call.service.counts.one(&call.service.counts.overruled)
	return n, breaker.Ticket{}
}

// another chooses among those that are accepted, and else among those that are
// ready; nil if there is none.
func another(choice *balancer.Choice, call *Call, accepts, ready func(*balancer.Node) bool, now time.Duration) *balancer.Node {
	if choice == nil {
		return nil
	}
	if call.tolerance == rule.Available {
		if first := firstOf(choice, accepts); first != nil {
			return first
		}
		return firstOf(choice, ready)
	}
	return choice.Other(balancer.Request{Now: now, Rand: rand.Uint64(), Key: call.Key, Retry: true}, accepts, ready)
}

// broken reports whether another attempt would be rejected, whatever instance it
// went to.
func (c *Call) broken() bool {
	if c.plan.breakers == nil {
		return false
	}
	b := c.plan.breakers.of(c)
	return b != nil && b.Rejecting()
}

// copied reports whether it is a copy, whose answers nobody hears of.
func (c *Call) copied() bool { return c.follows && c.race == nil }
