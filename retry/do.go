package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/fairlead-go/fairlead/internal/interrupt"
)

// Option says what [Do] cannot know of a call.
type Option func(*call)

// Idempotent says that the server may execute the call twice. Without it nothing is
// made again but what surely did not reach the server.
func Idempotent() Option { return func(c *call) { c.idempotent = true } }

// JudgedBy replaces [Judge], which tells from the error of an attempt how it ended.
// It is not asked about those that failed because the call's own context was over.
func JudgedBy(judge func(error) Ended) Option { return func(c *call) { c.judge = judge } }

type call struct {
	idempotent bool
	judge      func(error) Ended
}

// Do calls f, and again where the policy allows it and the budget pays for it. It
// returns nil as soon as f does, and otherwise the error of the last attempt,
// together with the reason if no other was made although one was due:
// [ErrBudgetSpent], or the error of ctx. It waits no longer than ctx lasts, and not at
// all for an attempt that could only begin after ctx's deadline.
//
// f is one exchange with one server, and has done with the answer when it returns:
// the context that it gets, which is bounded by the AttemptTimeout as well, is over
// then. The budget, of which the zero value will do, is shared by all calls to that
// service, and counts this one. A bad policy and a nil budget are errors, and f is
// not called. Do is safe for concurrent use.
func Do(ctx context.Context, p Policy, b *Budget, f func(context.Context) error, options ...Option) error {
	if b == nil {
		return errors.New("retry: the Budget of Do is nil: allowed is one that all calls to a service share")
	}
	if err := p.Validate(); err != nil {
		return err
	}
	c := call{judge: Judge}
	for _, o := range options {
		o(&c)
	}
	if ctx.Err() != nil {
		return interrupt.Err(ctx)
	}
	b.Deposit(Now(), rand.Uint64())
	for n := 1; ; n++ {
		err := attempt(ctx, p.AttemptTimeout, f)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		e := c.judge(err)
		e.Idempotent = e.Idempotent || c.idempotent
		if !p.Allows(e, n) {
			return err
		}
		wait := p.Wait(e, n, rand.Uint64())
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return err
		}
		if spent := b.Withdraw(Now()); spent != nil {
			return fmt.Errorf("%w: %w", spent, err)
		}
		if !interrupt.Pause(ctx, wait) {
			return fmt.Errorf("%w: %w", interrupt.Err(ctx), err)
		}
	}
}

// attempt calls f within a time, for which it sets a timer only if ctx does not end
// sooner.
func attempt(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	if deadline, ok := ctx.Deadline(); timeout == 0 || ok && time.Until(deadline) <= timeout {
		return f(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return f(ctx)
}

// Judge tells how an attempt ended from what the standard library says: a
// [net.OpError] of a dial is a ConnectFailure; a [context.DeadlineExceeded] and other
// timeouts are TimedOut; an end of the connection where there should have been an
// answer is a Reset. [context.Canceled] is the caller's own doing. All other errors
// are a ServerFailure, which no policy makes again that does not say so.
func Judge(err error) Ended {
	if err == nil || errors.Is(err, context.Canceled) {
		return Ended{}
	}
	op, onNet := errors.AsType[*net.OpError](err)
	if onNet && op.Op == "dial" {
		return Ended{How: ConnectFailure}
	}
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		return Ended{How: TimedOut}
	case onNet, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return Ended{How: Reset}
	}
	return Ended{How: ServerFailure}
}
