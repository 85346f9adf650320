package transport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// attemptTime is the context of an attempt that has less time than its call. It
// ends with the time, unless the answer has begun by then: what follows the
// beginning may take as long as the call has.
type attemptTime struct {
	context.Context // cancelled when the time is up
	deadline        time.Time
	timer           *time.Timer
	up              func() // cancels Context, with the reason
	why             *attemptTimeout
	begun           atomic.Bool
}

// Deadline is that of the attempt, and once the answer has begun, of the call.
func (a *attemptTime) Deadline() (time.Time, bool) {
	if a.begun.Load() {
		return a.Context.Deadline()
	}
	return a.deadline, true
}

// Err is that of a deadline, where it is the attempt's time that was up.
func (a *attemptTime) Err() error {
	err := a.Context.Err()
	if err != nil && context.Cause(a.Context) == error(a.why) {
		return context.DeadlineExceeded
	}
	return err
}

// hurry returns the context of an attempt that has no more than its own time,
// unless the call has less. [Call.Release] or the next attempt ends it.
func (c *Call) hurry(ctx context.Context) context.Context {
	timeout, why := c.plan.retry.AttemptTimeout, c.plan.attemptTimeout
	if timeout == 0 || c.Stream {
		return ctx
	}
	now := time.Now()
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(now) <= timeout {
		return ctx
	}
	if !c.AnswersInParts {
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, why)
		c.endAttempt = cancel
		return ctx
	}
	inner, cancel := context.WithCancelCause(ctx)
	a := &attemptTime{Context: inner, deadline: now.Add(timeout), why: why, up: func() { cancel(why) }}
	a.timer = time.AfterFunc(timeout, a.up)
	c.began = a
	c.endAttempt = func() {
		a.timer.Stop()
		cancel(nil)
	}
	return a
}

// Deadline is that of the call, given the context of an attempt, whose own may come
// before: where an answer has a beginning, what follows has the time of the call.
func (c *Call) Deadline(ctx context.Context) (time.Time, bool) {
	if c.began != nil {
		return c.began.Context.Deadline()
	}
	return ctx.Deadline()
}

// Began is told by a door that the answer has begun: from now on it has the time
// of the call. It reports whether it had begun in time; if not, its context has
// ended and says why.
func (c *Call) Began() bool {
	a := c.began
	if a == nil {
		return true
	}
	a.begun.Store(true)
	if a.timer.Stop() {
		return true
	}
	a.up() // its goroutine has begun, and may not have come to that
	return false
}

// attemptTimeout is the cause of an attempt that had no more time.
type attemptTimeout struct {
	service string
	timeout time.Duration
}

func (t *attemptTimeout) Error() string {
	return fmt.Sprintf("an attempt to reach %s is given %s", t.service, t.timeout)
}

// Unwrap makes it a deadline that was exceeded.
func (*attemptTimeout) Unwrap() error { return context.DeadlineExceeded }

// explainAttempt adds to the outcome of an attempt that its own time was up, where
// that is why and the error does not say so.
func (c *Call) explainAttempt(ctx context.Context, o *Outcome) {
	if o.Class != Timeout || o.Err == nil || c.endAttempt == nil { // or it had the time of the call
		return
	}
	if why := c.plan.attemptTimeout; (context.Cause(ctx) == error(why) || overdue(ctx)) && !errors.Is(o.Err, why) {
		o.Err = fmt.Errorf("%w: %w", why, o.Err)
	}
}
