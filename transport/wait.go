package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/interrupt"
)

// awaitInstance waits until there is an instance that the call can go to. Every new
// view wakes all who wait, and they look for themselves.
func (m *Mesh) awaitInstance(ctx context.Context, call *Call) error {
	s := call.service
	for waiting := false; ; {
		turn := *s.turn.Load() // before the view: a newer one closes it
		if s.course.Load().reaches(call) {
			return nil
		}
		if !waiting {
			waiting, call.now = true, 0
			s.waiting.Add(1)
			defer s.waiting.Add(-1)
		}
		select {
		case <-turn:
		case <-m.ctx.Done():
			return m.unready(call, StageClosed, Neutral, ErrClosed)
		case <-ctx.Done():
			return m.unready(call, StageWait, classOf(ctx.Err()), fmt.Errorf("%w: %w", s.nobody(call), interrupt.Err(ctx)))
		}
	}
}

// unready is the error of a call that waited in vain. Attempts may have been
// made before, to instances that have left since.
func (m *Mesh) unready(call *Call, stage Stage, class Class, err error) error {
	return &Error{
		Stage: stage, Class: class, Service: call.Service, Method: call.Method,
		Instance: call.Instance(), Attempts: call.picks, MaybeExecuted: call.sent, Err: err,
	}
}

// unpicked reports whether an attempt that picked nobody is none: the last instance
// left between the wait for it and the pick; or the attempt's own time was up in the
// wait for a connection, for which the call has all of its time.
func (c *Call) unpicked(ctx context.Context, o *Outcome) bool {
	if c.WaitForReady && errors.Is(o.Err, balancer.ErrNoInstances) {
		return true
	}
	return o.Class == Timeout && c.plan.attemptTimeout != nil && ctx.Err() == nil
}
