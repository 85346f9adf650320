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
	timeout := c.route.Timeout
	if timeout == 0 || c.Stream {
		return ctx
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= timeout {
		return ctx
	}
	ctx, c.release = context.WithTimeoutCause(ctx, timeout, (*timeoutOf)(c))
	return ctx
}

// Explain adds to an error that the rules gave the call no more time, where that
// is why ctx has ended and the error does not say so. A door calls it for what
// fails once Do has returned, with the context that Do gave the attempt.
func (c *Call) Explain(ctx context.Context, err error) error {
	if c.release == nil {
		return err
	}
	why := (*timeoutOf)(c)
	deadline, _ := ctx.Deadline()
	late := ctx.Err() == nil && !time.Now().Before(deadline) // its timer is, and a server's was not
	if context.Cause(ctx) != error(why) && !late || errors.Is(err, why) {
		return err
	}
	return fmt.Errorf("%w: %w", why, err)
}

// timeoutOf is the cause of a call that the rules gave no more time. It is the
// call itself, so that it need not be made for all those that have enough.
type timeoutOf Call

func (t *timeoutOf) Error() string {
	return fmt.Sprintf("the rules of %s give it %s", t.Service, t.route.Timeout)
}

// Unwrap makes it a deadline that was exceeded.
func (*timeoutOf) Unwrap() error { return context.DeadlineExceeded }
