package sim

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Limits are what keeps each client from sending more than is of use. The zero value:
// nothing does.
type Limits struct {
	// Throttle does not send what would be refused anyway. nil: there is none.
	Throttle *ratelimit.ThrottleConfig
	// Rate is how many calls a client sends. nil: any number.
	Rate *ratelimit.RateConfig
	// Instance is what a client learns of each instance: how many calls it may have
	// there. One that has them is passed over; where all have, the call is not sent.
	// nil: it learns nothing.
	Instance *ratelimit.AdaptiveConfig
}

// limiter is the limits of one client.
type limiter struct {
	throttle *ratelimit.Throttle
	rate     *ratelimit.Bucket
	learns   *ratelimit.AdaptiveConfig
	learned  []*ratelimit.Adaptive // by instance
	// precedence is what the less important leave at each.
	precedence ratelimit.Precedence
}

func newLimiter(l *Limits) (of *limiter, err error) {
	of = &limiter{learns: l.Instance}
	if l.Throttle != nil {
		if of.throttle, err = ratelimit.NewThrottle(*l.Throttle); err != nil {
			return of, err
		}
	}
	if l.Rate != nil {
		of.rate, err = ratelimit.NewBucket(*l.Rate)
	}
	return of, err
}

// limit is what a client has learned of an instance; nil where it learns nothing.
func (l *limiter) limit(server int32) *ratelimit.Adaptive {
	if l.learns == nil {
		return nil
	}
	for int(server) >= len(l.learned) {
		one, err := ratelimit.NewAdaptive(*l.learns)
		if err != nil {
			panic(err) // the plan is valid
		}
		l.learned = append(l.learned, one)
	}
	return l.learned[server]
}

// takes reports whether a client may send another call of a priority to an instance.
func (c *client) takes(n *balancer.Node, p ratelimit.Priority) bool {
	limit := c.limits.limit(c.servers[n.Index()])
	return limit == nil || n.Outstanding() < c.limits.precedence.Room(limit.Limit(), p)
}

// crowded reports whether a client may send such a call to nobody at all.
func (c *client) crowded(p ratelimit.Priority) bool {
	return c.limits.learns != nil && c.choice != nil && !slices.ContainsFunc(c.choice.Called(), func(n *balancer.Node) bool { return c.takes(n, p) })
}

// admits asks the limits of a client whether a call is to be sent at all, in the order
// in which package transport asks them.
func (w *world) admits(c *call) bool {
	l, now := w.clients[c.client].limits, time.Duration(w.now)
	return (l.throttle == nil || l.throttle.Allow(now, c.priority, w.sheds.Uint64())) && (l.rate == nil || l.rate.Allow(now, c.priority))
}

// learn tells the limits of a client how an attempt ended, before that is counted as
// done, as package transport does: a service that fails has accepted the call, and
// an instance that refuses looks after itself.
func (w *world) learn(a *attempt) {
	c := &w.calls[a.call]
	l, now := w.clients[c.client].limits, time.Duration(w.now)
	if l.throttle != nil {
		l.throttle.Done(now, c.priority, a.ending == served || a.ending == failed)
	}
	if limit := l.limit(a.server); limit != nil && (a.ending == served || a.ending.late()) {
		limit.Done(now, time.Duration(w.now-a.begun), a.ticket.Node().Outstanding(), a.ending.late())
	}
}

func (p *Plan) validateLimits() error {
	l := &p.Limits
	if l.Throttle != nil {
		if err := l.Throttle.Validate(); err != nil {
			return err
		}
	}
	if l.Rate != nil {
		if err := l.Rate.Validate(); err != nil {
			return err
		}
	}
	if l.Instance != nil {
		return l.Instance.Validate()
	}
	return nil
}
