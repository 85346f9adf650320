package transport

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/rule"
)

// Attempt is what a door does once per attempt: acquire an instance, send,
// and report. What it obtained it keeps for itself.
type Attempt interface {
	Try(ctx context.Context, call *Call) Outcome
}

// Do is the call half: it makes attempts until one needs no other. Its stages
// run in this order and no other; those of later features have their places
// between these.
//
// A nil error means that the door has an answer to hand out. Otherwise the
// error is an [*Error], or the last attempt's own error where the server
// itself answered with it.
func (m *Mesh) Do(ctx context.Context, call *Call, attempt Attempt) error {
	// 1 Service and rules. All else depends on them. Only the very first list
	// is waited for, and briefly the first after the process was frozen, when
	// the one at hand may be of long ago.
	if call.service == nil {
		s, err := m.lookup(call.Service)
		if err != nil {
			return m.refuse(call, err)
		}
		call.service = s
	}
	s := call.service
	c := s.course.Load()
	if c.view.Snapshot.State == discovery.Cold {
		if err := s.await(ctx, m.ctx); errors.Is(err, ErrClosed) {
			return m.refuse(call, err)
		} else if err != nil {
			return &Error{Stage: StageList, Class: classOf(ctx.Err()), Service: call.Service, Method: call.Method, Err: err}
		}
		c = s.course.Load()
	}
	if m.pulse != nil {
		now := momentOf(time.Now())
		if thaws := m.pulse.thaws(now); s.refreshes.Load() < thaws {
			m.refreshed(ctx, s, thaws)
			c = s.course.Load()
		} else {
			call.now = now.mono
		}
	}
	// And its rules, which say what follows. They are never waited for.
	c.decide(call)
	// A gateway, where calls go to one: all that follows is then a matter of that
	// service.
	if call.plan.gateway != nil && m.viaGateway(call, attempt) {
		return m.Do(ctx, call, attempt)
	}
	if call.plan.plain && call.pin == "" && call.tolerance == rule.Failover && c.level != Full {
		return m.admit(ctx, call, attempt)
	}
	return m.doGoverned(ctx, c, call, attempt)
}

// doGoverned is the call half of a call of which more is said than where it goes
// and how often it is tried.
func (m *Mesh) doGoverned(ctx context.Context, c *course, call *Call, attempt Attempt) (err error) {
	if err := m.pinnable(call); err != nil {
		return err
	}
	call.traced = c.level == Full
	// 2 Deadline. It bounds all waiting that follows.
	ctx = call.bound(ctx)
	returned := false
	defer func() {
		if err != nil || !returned { // or others' code panicked
			call.Release()
		}
	}()
	err = m.face(ctx, call, attempt)
	// 6 Fallback, once no attempt is left, or there was nobody to make one to. It
	// stands last, since it is not what the service says.
	if err != nil && !call.replied || call.failed {
		err = m.fallBack(ctx, call, attempt, err)
	}
	if err == nil {
		call.hand()
	}
	returned = true
	return err
}

// face is what stands before the attempts of a call, and they themselves.
func (m *Mesh) face(ctx context.Context, call *Call, attempt Attempt) error {
	// 3 Fault injection. It stands within the deadline, and before all that
	// counts: what it does is to look like the service's doing.
	if call.table != nil && call.pin == "" {
		if call.route.Fault != nil {
			if err := m.suffer(ctx, call); err != nil {
				return err
			}
		}
		if call.route.Mirror != nil && ctx.Err() == nil {
			m.mirror(ctx, call, attempt)
		}
	}
	return m.admit(ctx, call, attempt)
}

// admit is what stands before the attempts of every call.
func (m *Mesh) admit(ctx context.Context, call *Call, attempt Attempt) error {
	// A call that has no time left, or less than its method ever took, is not
	// begun: nothing is picked, nobody is judged.
	if err := ctx.Err(); err != nil {
		return &Error{Stage: StageSend, Class: classOf(err), Service: call.Service, Method: call.Method, Err: interrupt.Err(ctx)}
	}
	if err := m.enough(ctx, call); err != nil {
		return err
	}
	// And the wait for an instance, where the call asked for it, since only its
	// deadline bounds that. It stands before all that counts calls: those who
	// waited together come to it together.
	if call.WaitForReady {
		if err := m.awaitInstance(ctx, call); err != nil {
			return err
		}
	}
	// 4 Limits: throttling, rates, calls in flight. They count calls and not attempts,
	// and stand before all work. Those that hold something come last.
	if call.plan.limits != nil && !call.Probe {
		if err := m.limited(ctx, call); err != nil {
			return err
		}
	}
	if call.traced {
		return m.doTraced(ctx, call, attempt)
	}
	return m.attempts(ctx, call, attempt)
}

// attempts is stage 5: the attempt loop. It stands after everything that
// counts calls, since it multiplies them, and under one budget.
func (m *Mesh) attempts(ctx context.Context, call *Call, attempt Attempt) error {
	most := call.plan.most
	switch call.tolerance {
	case rule.Failfast, rule.Failsafe:
		most = 1
	case rule.Broadcast:
		return m.broadcast(ctx, call, attempt)
	}
	for {
		tries, picks := call.tries, call.picks
		call.tries++
		call.last = call.tries >= most && most > 1
		var outcome Outcome
		if call.method == nil && call.plan.attemptTimeout == nil && !call.traced {
			call.turn++
			outcome = attempt.Try(ctx, call)
		} else {
			outcome = m.attempt(ctx, call, attempt)
		}
		if call.picks == picks && call.unpicked(ctx, &outcome) {
			if call.WaitForReady {
				if err := m.awaitInstance(ctx, call); err != nil {
					return err
				}
			}
			call.tries = tries
			continue
		}
		call.sent = call.sent || outcome.Sent
		if outcome.Class == Success && !call.plan.repeats(outcome.Code) || call.tries >= most || !m.again(ctx, call, attempt, &outcome) {
			if call.held.apt && !call.Stream { // whose length says nothing, and which may be over already
				call.held.learn(outcome.judged(), balancer.Now())
			}
			return m.finish(ctx, call, outcome)
		}
	}
}

// finish turns the last outcome into the caller's error. What the server said
// itself is passed on as it is.
func (m *Mesh) finish(ctx context.Context, call *Call, o Outcome) error {
	if o.Err == nil {
		call.failed = o.Class != Success && o.Class != Neutral
		return nil
	}
	if own, ok := errors.AsType[*Error](o.Err); ok && own.Service == call.Service {
		own.MaybeExecuted = own.MaybeExecuted || call.sent
		return o.Err
	}
	if o.Answered && o.Class != Lost && o.Class != Timeout {
		call.replied = o.Class == Success || o.Class == Neutral
		return o.Err
	}
	if o.Class == Timeout {
		o.Err = call.Explain(ctx, o.Err)
	}
	return &Error{
		Stage: StageSend, Class: o.Class, Service: call.Service, Method: call.Method,
		Instance: call.Instance(), Attempts: call.picks,
		MaybeExecuted: call.sent && o.Class != Success, RetryAfter: o.RetryAfter, Err: o.Err,
	}
}

// refuse is the error of a call that cannot even begin.
func (m *Mesh) refuse(call *Call, err error) error {
	stage := StagePick
	if errors.Is(err, ErrClosed) {
		stage = StageClosed
	}
	return &Error{Stage: stage, Class: Neutral, Service: call.Service, Method: call.Method, Err: err}
}

// classOf tells a deadline from a cancellation.
func classOf(err error) Class {
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	return Neutral
}
