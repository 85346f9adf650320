package transport

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// instanceLimits bound the calls that this process has in flight at each instance.
// One that is at its limit is passed over by the pick, and nobody waits for it.
type instanceLimits struct {
	is      rule.ConcurrencyTable
	learned *perNode[ratelimit.Adaptive] // empty where the rules say the limit
	refused *refusals
}

func newInstanceLimits(is rule.ConcurrencyTable, view *balancer.View, before *instanceLimits) *instanceLimits {
	if before == nil || !before.is.Keeps(&is.Counting) {
		return &instanceLimits{is: is, learned: new(perNode[ratelimit.Adaptive]), refused: new(refusals)}
	}
	l := *before
	l.is = is
	if c := is.Config.Adaptive; c != nil && (before.is.Config.Adaptive == nil || *c != *before.is.Config.Adaptive) {
		for _, a := range l.learned.all(view) {
			_ = a.Set(*c) // validated
		}
	}
	return &l
}

// of returns what is learned of an instance, nil where the rules say the limit.
func (l *instanceLimits) of(n *balancer.Node) *ratelimit.Adaptive {
	if l.is.Config.Adaptive == nil {
		return nil
	}
	if a := l.learned.of(n); a != nil {
		return a
	}
	return l.learned.add(n, func() *ratelimit.Adaptive {
		a, _ := ratelimit.NewAdaptive(*l.is.Config.Adaptive) // validated
		return a
	})
}

// limit returns how many calls there may be at an instance.
func (l *instanceLimits) limit(n *balancer.Node) int {
	if a := l.of(n); a != nil {
		return a.Limit()
	}
	return l.is.Config.Max
}

// full reports whether an instance has as many calls of this process as it may.
// Two picks at the same moment may both find the last place free: the limit is
// exceeded by no more than the calls that are being picked for at once.
func (l *instanceLimits) full(n *balancer.Node) bool { return n.Outstanding() >= l.limit(n) }

// gate is that part of stage 10 which is the limit of the instance. Limits hold in
// panic mode, too: whoever finds all instances full is refused.
func (l *instanceLimits) gate(c *course, call *Call, n *balancer.Node, gate Gate, now time.Duration) (*balancer.Node, error) {
	if !l.full(n) {
		return n, nil
	}
	if choice := c.choice(call); choice != nil {
		untried := func(n *balancer.Node) bool { return !l.full(n) && call.accepts(n, gate) }
		ready := func(n *balancer.Node) bool { return !l.full(n) && (gate == nil || gate.Ready(n)) }
		if other := another(choice, call, untried, ready, now); other != nil {
			n.Unsent(now)
			return other, nil
		}
	}
	n.Unsent(now)
	l.refused[call.Priority.Index()].Add(1)
	return nil, &Refusal{Limit: l.is.Name, Priority: call.Priority, Err: ratelimit.ErrConcurrency}
}
