package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// ErrNoTime is wrapped by the error of a call which would have been tried again,
// had there been the time for it, and by that of one which a server did not take on
// because its answer would come too late.
var ErrNoTime = errors.New("not enough time is left")

// StageDeadline is that of a call which had less time left than its method ever
// took.
const StageDeadline Stage = "deadline"

// enough refuses a call that has less time left than its method took of late at
// the least: it would only be work for a server whose answer comes too late. One a
// second is let through, to find out whether the method has become faster.
func (m *Mesh) enough(ctx context.Context, call *Call) error {
	if call.Stream || call.Probe {
		return nil
	}
	now := call.clock()
	left, bounded := timeLeft(ctx, now)
	if !bounded {
		if call.plan.hedge != nil {
			call.method = call.service.methods.of(call)
		}
		return nil
	}
	if call.method = call.service.methods.of(call); call.method == nil {
		return nil
	}
	err := tooLate(call.method.least, now, left, context.DeadlineExceeded)
	if err == nil {
		return nil
	}
	call.service.counts.one(&call.service.counts.hopeless)
	return &Error{Stage: StageDeadline, Class: Timeout, Service: call.Service, Method: call.Method, Err: err}
}

// tooLate is the error, of some kind, of a call that has less time left than those of
// its method took of late at the least; nil if it has enough.
func tooLate(least *retry.Least, now, left time.Duration, kind error) error {
	if least.Allows(now, left) {
		return nil
	}
	took, _ := least.Least(now)
	return fmt.Errorf("%w: %s are left, and no call took less than %s of late", kind, left, took)
}

// hasTimeFor reports whether a call has the time to wait and for one more attempt.
func (c *Call) hasTimeFor(ctx context.Context, wait time.Duration) bool {
	now := balancer.Now()
	left, bounded := timeLeft(ctx, now)
	if !bounded {
		return true
	}
	rest := left - wait
	if rest <= 0 {
		return false
	}
	if c.method == nil {
		return true
	}
	least, known := c.method.least.Least(now)
	return !known || rest >= least
}
