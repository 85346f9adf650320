package transport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// limits are what bounds the calls of a service, at a client or at a server. They
// last as long as the rules; what they count and learned goes on from one to the
// next, by the names of limits.
type limits struct {
	rates       []*rateLimit
	concurrency []*concurrencyLimit
	instances   *instanceLimits // nil: none; at clients only
	throttle    *throttle       // nil: none; at clients only
}

// throttle is [ratelimit.Throttle] with what is told of it.
type throttle struct {
	*ratelimit.Throttle
	config  ratelimit.ThrottleConfig
	refused *refusals
}

// newLimits returns those that the rules ask for, in the place of others; nil if
// there are none. Shared are the buckets of the limits that a fleet shares.
func newLimits(asked codeLimits, view *balancer.View, before *limits, shared func(rule.LimitTable) *ratelimit.Bucket) *limits {
	if len(asked.rates)+len(asked.concurrency) == 0 && asked.throttle == nil {
		return nil
	}
	if before == nil {
		before = &limits{}
	}
	l := &limits{}
	for _, is := range asked.rates {
		var own *ratelimit.Bucket
		if is.Shared && shared != nil {
			own = shared(is)
		}
		l.rates = append(l.rates, newRateLimit(is, named(before.rates, is.Name), own))
	}
	for _, is := range asked.concurrency {
		if is.Per == rule.PerInstance {
			l.instances = newInstanceLimits(is, view, before.instances)
			continue
		}
		l.concurrency = append(l.concurrency, newConcurrencyLimit(is, named(before.concurrency, is.Name)))
	}
	if asked.throttle != nil {
		l.throttle = newThrottle(*asked.throttle, before.throttle)
	}
	return l
}

func newThrottle(c ratelimit.ThrottleConfig, before *throttle) *throttle {
	if before != nil {
		if before.config == c {
			return before
		}
		t := &throttle{before.Throttle, c, before.refused}
		_ = t.Set(c) // validated
		return t
	}
	t, _ := ratelimit.NewThrottle(c) // validated
	return &throttle{t, c, new(refusals)}
}

// limit is one that has a name.
type limit interface {
	*rateLimit | *concurrencyLimit
	name() string
}

func (l *rateLimit) name() string        { return l.is.Name }
func (l *concurrencyLimit) name() string { return l.is.Name }

func named[L limit](all []L, name string) L {
	for _, l := range all {
		if l.name() == name {
			return l
		}
	}
	return nil
}

// pass is stage 4, and all that a server does: what holds nothing comes first, and
// what can wait after what cannot. What the call holds when it is refused, its end
// gives back. An error that is no [Refusal] says that its time was up while it waited.
func (l *limits) pass(ctx context.Context, now time.Duration, s *subject, held *permits) error {
	if t := l.throttle; t != nil && !t.Allow(now, s.priority, rand.Uint64()) {
		t.refused[s.priority.Index()].Add(1)
		return &Refusal{Limit: "throttle", Priority: s.priority, Err: ratelimit.ErrThrottled}
	}
	for _, r := range l.rates {
		if !r.is.Matches(s.request) {
			continue
		}
		if err := r.pass(ctx, now, s); err != nil {
			return err
		}
		if r.is.Wait > 0 {
			now = balancer.Now()
		}
	}
	for _, c := range l.concurrency {
		if !c.is.Matches(s.request) {
			continue
		}
		if err := c.pass(ctx, s, held); err != nil {
			return err
		}
		if c.is.Config.MaxWait > 0 {
			now = balancer.Now()
		}
	}
	held.began = now
	return nil
}

// holds reports whether calls hold something until they end. It may be asked of nil.
func (l *limits) holds() bool { return l != nil && len(l.concurrency) > 0 }

// full reports whether an instance has as many calls as it may. It may be asked of
// nil.
func (l *limits) full(n *balancer.Node, p ratelimit.Priority) bool {
	return l != nil && l.instances != nil && l.instances.full(n, p)
}

// learn takes in how an attempt ended. What is not the instance's doing says
// nothing; a service that fails has accepted the call. Copies may go to instances of
// which no call knows, and throttle none.
func (l *limits) learn(lease *Lease, now time.Duration, result balancer.Result, class Class) {
	if result == balancer.Neutral {
		return
	}
	if l.throttle != nil && !lease.copied {
		l.throttle.Done(now, lease.priority, class == Success || class == Failure)
	}
	// Refusals do not teach: under overload they would take from every client its last
	// places, those of critical calls among them.
	if l.instances != nil && (class == Success || class == Timeout) {
		l.instances.learn(lease, now, class == Timeout)
	}
}

// limited is stage 4 of a call. Limits count calls, not attempts, and stand before
// all work.
func (m *Mesh) limited(ctx context.Context, call *Call) error {
	s := subject{plan: call.plan, method: call.Method, key: call.key, priority: call.Priority, request: call.Request}
	if s.request == nil {
		s.request = bare{call.Protocol, call.Method, call.key, m.Caller()}
	}
	err := call.plan.limits.pass(ctx, call.clock(), &s, &call.held)
	if err == nil {
		call.now = call.held.began
		return nil
	}
	if r, ok := err.(*Refusal); ok {
		return call.refused(r)
	}
	return m.unready(call, StageWait, classOf(err), fmt.Errorf("no turn came: %w", interrupt.Err(ctx)))
}

// refused is the error of a call that a limit refuses.
func (c *Call) refused(r *Refusal) error {
	s, now := c.service, balancer.Now()
	s.pressed.refused(now)
	if due(&s.limitTold, now) {
		s.mesh.logger.Warn("fairlead: calls are refused before they are sent", "service", s.name, "limit", r.Limit, "priority", r.Priority.String(), "error", r.Err)
		s.mesh.tell(Event{Kind: LimitReached, Service: s.name, Text: r.Error()})
	}
	return &Error{Stage: StageLimit, Class: Neutral, Service: c.Service, Method: c.Method,
		Instance: c.Instance(), Attempts: c.picks, MaybeExecuted: c.sent, RetryAfter: r.RetryAfter, Err: r}
}
