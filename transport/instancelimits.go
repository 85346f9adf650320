package transport

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// instanceLimits bound the calls that this process has in flight at each instance, as
// one document has it. One that is at its limit is passed over by the pick, and
// nobody waits for it.
type instanceLimits struct {
	is rule.ConcurrencyTable
	*learned
	initial int // what a limit begins with that is learned
}

// learned is what limits of instances know of them. It outlives documents.
type learned struct {
	config     atomic.Pointer[ratelimit.AdaptiveConfig]
	nodes      perNode[ratelimit.Adaptive] // those of which anything is known
	refused    refusals
	precedence ratelimit.Precedence
}

func newInstanceLimits(is rule.ConcurrencyTable, view *balancer.View, before *instanceLimits) *instanceLimits {
	l := &instanceLimits{is: is}
	if before != nil && before.is.Keeps(&is.Counting) {
		l.learned = before.learned
	} else {
		l.learned = new(learned)
	}
	if c := is.Config.Adaptive; c != nil {
		c = new(c.AtClient())
		l.initial = newAdaptive(*c).Limit()
		l.config.Store(c)
		l.nodes.settle()
		for _, a := range l.nodes.all(view) {
			_ = a.Set(*c) // validated
		}
	}
	return l
}

func newAdaptive(c ratelimit.AdaptiveConfig) *ratelimit.Adaptive {
	a, _ := ratelimit.NewAdaptive(c) // validated
	return a
}

// limit returns how many calls there may be at an instance.
func (l *instanceLimits) limit(n *balancer.Node) int {
	if l.is.Config.Adaptive == nil {
		return l.is.Config.Max
	}
	if a := l.nodes.of(n); a != nil {
		return a.Limit()
	}
	return l.initial
}

// full reports whether an instance has as many calls of this process as it may.
// Two picks at the same moment may both find the last place free: the limit is
// exceeded by no more than the calls that are being picked for at once. Some places
// are for more important calls.
func (l *instanceLimits) full(n *balancer.Node, p ratelimit.Priority) bool {
	return n.Outstanding() >= l.precedence.Room(l.limit(n), p)
}

// learn takes in that a call to an instance ended, which was answered, or for which
// the instance has too much to do. The length of a stream says nothing.
func (l *instanceLimits) learn(lease *Lease, now time.Duration, dropped bool) {
	took := lease.ticket.Age(now)
	if l.is.Config.Adaptive == nil || took == 0 {
		return
	}
	n := lease.Node()
	a := l.nodes.of(n)
	if a == nil {
		// The number of an instance that has left may be another's by now.
		if nodeOf(lease.service.pool.View().Nodes, n.ID()) != n {
			return
		}
		a = l.nodes.add(n, func() *ratelimit.Adaptive { return newAdaptive(*l.config.Load()) })
	}
	a.Done(now, took, n.Outstanding(), dropped)
}

// gate is that part of stage 10 which is the limit of the instance. Limits hold in
// panic mode, too: whoever finds all instances full is refused. The error is a
// [*Refusal], or errNobodyElse.
func (l *instanceLimits) gate(c *course, call *Call, n *balancer.Node, gate Gate, now time.Duration) (*balancer.Node, error) {
	l.precedence.Note(call.Priority)
	if !l.full(n, call.Priority) {
		return n, nil
	}
	other := l.elsewhere(c, call, n, gate, now)
	n.Unsent(now)
	switch {
	case other != nil:
		return other, nil
	case call.isSecond():
		return nil, errNobodyElse
	}
	l.refused[call.Priority.Index()].Add(1)
	return nil, &Refusal{Limit: l.is.Name, Priority: call.Priority, Err: ratelimit.ErrConcurrency}
}

// elsewhere finds an instance in the place of one that is full, nil if there is none:
// among those that it was picked from first, and where the route has a fallback,
// among the others then.
func (l *instanceLimits) elsewhere(c *course, call *Call, n *balancer.Node, gate Gate, now time.Duration) *balancer.Node {
	untried := func(n *balancer.Node) bool { return !l.full(n, call.Priority) && call.accepts(n, gate) }
	ready := func(n *balancer.Node) bool { return !l.full(n, call.Priority) && (gate == nil || gate.Ready(n)) }
	if call.isSecond() && !c.service.mesh.options.many {
		ready = untried
	}
	choices := l.choices(c, call)
	if choices[0] == nil || nodeOf(choices[0].Nodes, n.ID()) != n {
		choices[0], choices[1] = choices[1], choices[0]
	}
	for _, choice := range choices {
		if other := another(choice, call, untried, ready, now); other != nil {
			return other
		}
	}
	return nil
}

// choices are where a call may go, and where its route falls back to; nil: nowhere.
func (l *instanceLimits) choices(c *course, call *Call) (choices [2]*balancer.Choice) {
	choices[0] = c.choice(call)
	if call.narrowed() && call.only == nil {
		if other, ok := call.table.Fallback(call.narrowing); ok {
			choices[1] = c.candidates(call, other)
		}
	}
	return choices
}

// crowded reports whether another attempt would be refused, whatever instance it went
// to.
func (c *Call) crowded(course *course) bool {
	if c.plan.limits == nil || c.plan.limits.instances == nil {
		return false
	}
	l := c.plan.limits.instances
	free := func(n *balancer.Node) bool { return !l.full(n, c.Priority) }
	for _, choice := range l.choices(course, c) {
		if choice != nil && (slices.ContainsFunc(choice.Eligible, free) || slices.ContainsFunc(choice.Called(), free)) {
			return false
		}
	}
	return true
}
