package transport

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// hurry returns the context of an attempt that has no more than its own time,
// unless the call has less. [Call.Release] or the next attempt ends it.
func (c *Call) hurry(ctx context.Context) context.Context {
	timeout, why := c.plan.retry.AttemptTimeout, c.plan.attemptTimeout
	if timeout == 0 || c.Stream {
		return ctx
	}
	now := c.clock()
	if left, bounded := timeLeft(ctx, now); bounded && left <= timeout {
		return ctx
	}
	timed := c.service.mesh.timers.After(ctx, now, timeout, why)
	c.endAttempt = timed.Release
	if c.AnswersInParts {
		c.began = timed
	}
	return timed
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
func (c *Call) Began() bool { return c.began == nil || c.began.Lift() }

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
