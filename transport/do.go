package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
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
	// 1 Service. All else depends on it. Only its very first list is waited
	// for.
	if call.service == nil {
		s, err := m.lookup(call.Service)
		if err != nil {
			return m.refuse(call, err)
		}
		call.service = s
	}
	s := call.service
	if s.pool.View().Snapshot.State == discovery.Cold {
		if err := s.await(ctx); err != nil {
			return &Error{Stage: StageList, Class: classOf(err), Service: call.Service, Method: call.Method, Err: err}
		}
	}
	// 2 Deadline. A call that has no time left is not begun: nothing is
	// picked, nobody is judged.
	if err := ctx.Err(); err != nil {
		return &Error{Stage: StageSend, Class: classOf(err), Service: call.Service, Method: call.Method, Err: context.Cause(ctx)}
	}
	if m.meter.tracer != nil {
		return m.doTraced(ctx, call, attempt)
	}
	return m.attempts(ctx, call, attempt)
}

// attempts is stage 5: the attempt loop. It stands after everything that
// counts calls, since it multiplies them, and under one budget.
func (m *Mesh) attempts(ctx context.Context, call *Call, attempt Attempt) error {
	for {
		call.tries++
		outcome := m.try(ctx, call, attempt)
		if outcome.Class == Success || !m.again(ctx, call, outcome) {
			return m.finish(call, outcome)
		}
	}
}

// again decides whether another attempt follows, and waits for its turn.
func (m *Mesh) again(ctx context.Context, call *Call, o Outcome) bool {
	if call.picks == 0 || !m.options.retry.Allows(o.failure(), call.tries, call.Idempotent) || ctx.Err() != nil {
		return false
	}
	s := call.service
	if !s.budget.Withdraw(balancer.Now()) {
		s.counts.unaffordable.Add(1)
		return false
	}
	s.counts.retries.Add(1)
	return pause(ctx, retry.Backoff(call.tries+1, rand.Uint64()))
}

// pause reports whether it came to its end.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// finish turns the last outcome into the caller's error. What the server said
// itself is passed on as it is.
func (m *Mesh) finish(call *Call, o Outcome) error {
	if o.Err == nil {
		return nil
	}
	if own, ok := errors.AsType[*Error](o.Err); ok && own.Service == call.Service {
		return o.Err
	}
	if o.Answered && o.Class != Lost {
		return o.Err
	}
	return &Error{
		Stage: StageSend, Class: o.Class, Service: call.Service, Method: call.Method,
		Instance: call.Instance(), Attempts: call.picks,
		MaybeExecuted: o.Sent && o.Class != Success, RetryAfter: o.RetryAfter, Err: o.Err,
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
