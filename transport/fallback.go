package transport

import (
	"context"
	"errors"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
)

// Redirector is an [Attempt] whose call can be sent to another service.
type Redirector interface {
	// Redirect makes the call one to another service. The error says why it cannot
	// be sent there.
	Redirect(service string) error
}

// Substitute is an [Attempt] whose call can be answered by something else than the
// service.
type Substitute interface {
	Redirector
	// Answer makes a value, a text in JSON, the answer of the call; over HTTP it has
	// that status. Empty, it is the answer that says nothing.
	Answer(status int, value string) error
}

// errNoSubstitute says that there is no way to answer the call otherwise.
var errNoSubstitute = errors.New("a stream has no fallback")

// fallBack is stage 6: it gives the caller something else than a failure, where the
// rules say what. A caller that has given up gets nothing.
func (m *Mesh) fallBack(ctx context.Context, call *Call, attempt Attempt, failure error) error {
	instead := call.plan.onFailure
	if instead == nil && call.tolerance != rule.Failsafe || call.redirected || errors.Is(ctx.Err(), context.Canceled) {
		return failure
	}
	s, what := call.service, "nothing"
	sub, ok := attempt.(Substitute)
	err := errNoSubstitute
	switch {
	case !ok:
	case instead == nil:
		err = sub.Answer(204, "")
	case instead.Service == "":
		what = "a value"
		err = sub.Answer(max(200, instead.HTTPStatus), instead.Value)
	case ctx.Err() != nil:
		return failure
	default:
		what = instead.Service
		err = sub.Redirect(instead.Service)
	}
	m.fellBack(s, what, failure, err)
	if err != nil {
		return failure
	}
	call.failed = false
	if instead != nil && instead.Service != "" {
		call.redirect()
		return m.Do(ctx, call, attempt)
	}
	call.Release() // nobody's answer is handed out
	return nil
}

// redirect makes a call begin anew, with what is left of its time.
func (c *Call) redirect() {
	if c.endAttempt != nil {
		c.endAttempt()
	}
	c.Idempotent, c.Key = c.Idempotent && !c.idempotent, c.key // the rules of the other service speak now
	c.held.release(c.Priority)
	c.Priority = c.given
	if c.Origin == "" {
		c.Origin = c.service.name
	}
	next := progress{declared: c.declared, prioritized: c.prioritized, redirected: true, release: c.outer(), sent: c.sent}
	if c.tolerated {
		next.tolerance, next.tolerated = c.tolerance, true
	}
	c.progress = next
}

// outer is what bounds a call that is redirected, beside what its next service does.
func (c *Call) outer() context.CancelFunc {
	timed, release := c.timed, c.release
	switch {
	case timed == nil:
		return release
	case release == nil:
		return timed.Release
	}
	return func() { timed.Release(); release() }
}

// fellBack counts, and tells at most every ten seconds.
func (m *Mesh) fellBack(s *service, what string, failure, err error) {
	if err == nil {
		s.counts.one(&s.counts.fellBack)
	} else {
		s.counts.one(&s.counts.unanswerable)
	}
	if !due(&s.fellBackTold, balancer.Now()) {
		return
	}
	m.logger.Warn("fairlead: calls fail and get something else", "service", s.name, "instead", what, "failure", failure, "error", err)
	m.tell(Event{Kind: FellBack, Service: s.name, Text: what})
}
