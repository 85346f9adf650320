package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/deadline"
)

// bound returns a context that ends when the rules' timeout does, unless the
// caller's own deadline comes first: then nothing is added to it. How long a
// stream lasts is the application's doing, and no rule bounds it.
func (c *Call) bound(ctx context.Context) context.Context {
	why := c.plan.timeout
	if why == nil || c.Stream {
		return ctx
	}
	now := c.clock()
	if left, bounded := timeLeft(ctx, now); bounded && left <= why.timeout {
		return ctx
	}
	c.timed = c.service.mesh.timers.After(ctx, now, why.timeout, why)
	c.ruled = true
	return c.timed
}

// timeLeft is how much of it a context has; false: it has no end.
func timeLeft(ctx context.Context, now time.Duration) (time.Duration, bool) {
	if timed, ok := ctx.(*deadline.Context); ok {
		return timed.Rest(now), true
	}
	at, bounded := ctx.Deadline()
	return balancer.At(at) - now, bounded
}

// Explain adds to an error that the rules gave the call no more time, where that
// is why ctx has ended and the error does not say so. A door calls it for what
// fails once Do has returned, with the context that Do gave the attempt.
func (c *Call) Explain(ctx context.Context, err error) error {
	if !c.ruled {
		return err
	}
	why := c.plan.timeout
	if context.Cause(ctx) != error(why) && !overdue(ctx) || errors.Is(err, why) {
		return err
	}
	return fmt.Errorf("%w: %w", why, err)
}

// overdue reports whether the time of ctx is up although it has not ended: its timer
// is late, and a server's was not.
func overdue(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && ctx.Err() == nil && !time.Now().Before(deadline)
}

// callTimeout is the cause of a call that the rules, or code, gave no more time.
type callTimeout struct {
	service string
	timeout time.Duration
	byRule  bool
}

func (t *callTimeout) Error() string {
	if !t.byRule {
		return fmt.Sprintf("a call to %s is given %s", t.service, t.timeout)
	}
	return fmt.Sprintf("the rules of %s give it %s", t.service, t.timeout)
}

// Unwrap makes it a deadline that was exceeded.
func (*callTimeout) Unwrap() error { return context.DeadlineExceeded }
