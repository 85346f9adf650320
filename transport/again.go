package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
)

// Discarder is an [Attempt] that holds on to what it obtained. It is told when
// another attempt follows.
type Discarder interface{ Discard() }

func discard(attempt Attempt) {
	if d, ok := attempt.(Discarder); ok {
		d.Discard()
	}
}

// again decides whether another attempt follows, and waits for its turn. Where
// one was due and does not follow, the outcome is told why.
func (m *Mesh) again(ctx context.Context, call *Call, attempt Attempt, o *Outcome) bool {
	policy, end := &call.plan.retry, o.end(call.Idempotent)
	if call.picks == 0 || !policy.Allows(end, call.tries) {
		return false
	}
	if ctx.Err() == nil {
		if call.broken() { // what is at hand is better than a rejection, and costs nothing
			o.because(breaker.ErrOpen)
			return false
		}
		s, now := call.service, balancer.Now()
		if call.crowded(s.course.Load()) { // likewise
			o.because(ratelimit.ErrConcurrency)
			return false
		}
		wait := policy.Wait(end, call.tries, rand.Uint64())
		if !call.hasTimeFor(ctx, wait) {
			o.because(ErrNoTime)
			return false
		}
		if err := s.budgetOf(call.Priority).Withdraw(now); err != nil {
			m.budgetSpent(s, call.Priority, now, err)
			o.because(err)
			return false
		}
		discard(attempt)
		call.now = 0
		if interrupt.Pause(ctx, wait) {
			s.counts.one(&s.counts.retries)
			return true
		}
	}
	o.Class, o.Answered = classOf(ctx.Err()), false // the caller's end is that of the call, whatever was answered
	if o.Err == nil {
		o.Err = interrupt.Err(ctx)
		return false
	}
	o.because(interrupt.Err(ctx))
	return false
}

// because adds why no other attempt was made to an outcome that is an error.
func (o *Outcome) because(reason error) {
	if o.Err != nil {
		o.Err = fmt.Errorf("%w: %w", reason, o.Err)
	}
}

// budgetSpent counts, and tells at most every ten seconds. What is spent may be
// the service's budget, or that of the process.
func (m *Mesh) budgetSpent(s *service, p ratelimit.Priority, now time.Duration, err error) {
	if errors.Is(err, retry.ErrSharedBudgetSpent) {
		s.counts.one(&s.counts.unaffordableByAll)
	} else {
		s.counts.one(&s.counts.unaffordable)
	}
	if due(&s.spentTold, now) {
		m.logger.Warn("fairlead: retry budget spent, failures are passed on", "service", s.name, "priority", p.String(), "error", err)
		m.tell(Event{Kind: BudgetSpent, Service: s.name, Text: err.Error()})
	}
}
