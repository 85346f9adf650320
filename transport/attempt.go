package transport

import (
	"context"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// attempt makes one attempt, or two that race, and takes note of how long it took
// where somebody wants to know.
func (m *Mesh) attempt(ctx context.Context, call *Call, attempt Attempt) Outcome {
	if call.method == nil {
		return m.once(ctx, call, attempt)
	}
	begun := call.clock()
	if hedger := call.hedger(attempt); hedger != nil {
		return m.hedged(ctx, call, attempt, hedger, begun)
	}
	return m.timed(ctx, call, attempt, begun)
}

// timed makes one attempt whose duration is worth knowing. One that was given up
// in favour of another would have taken longer still.
func (m *Mesh) timed(ctx context.Context, call *Call, attempt Attempt, begun time.Duration) Outcome {
	o := m.once(ctx, call, attempt)
	won := o.Class == Success
	if method := call.method; won || method.hedge != nil && context.Cause(ctx) == errHedged {
		now := balancer.Now()
		if won {
			method.least.Record(now, now-begun)
		}
		if method.hedge != nil {
			method.latencies.Record(now, now-begun)
		}
	}
	return o
}

// once makes one attempt, within its own time.
func (m *Mesh) once(ctx context.Context, call *Call, attempt Attempt) Outcome {
	call.turn++
	if call.endAttempt != nil { // of the one before
		call.endAttempt()
		call.endAttempt = nil
	}
	call.began = nil
	if call.plan.retry.AttemptTimeout == 0 {
		return m.try(ctx, call, attempt)
	}
	ctx = call.hurry(ctx)
	o := m.try(ctx, call, attempt)
	call.explainAttempt(ctx, &o)
	return o
}
