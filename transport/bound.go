package transport

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// bound returns a context that ends when the rules' timeout does, unless the
// caller's own deadline comes first: then nothing is added to it. How long a
// stream lasts is the application's doing, and no rule bounds it.
func (c *Call) bound(ctx context.Context) context.Context {
	why := c.plan.timeout
	if why == nil || c.Stream {
		return ctx
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= why.timeout {
		return ctx
	}
	ctx, cancel := context.WithTimeoutCause(ctx, why.timeout, why)
	if outer := c.release; outer != nil { // of the service that it was redirected from
		c.release = func() { cancel(); outer() }
	} else {
		c.release = cancel
	}
	c.ruled = true
	return ctx
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
