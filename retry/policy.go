package retry

import (
	"fmt"
	"slices"
	"time"
)

const (
	// DefaultMaxAttempts is what a zero Policy allows.
	DefaultMaxAttempts = 3
	// MostAttempts is the largest MaxAttempts; gRFC A6 has the same ceiling.
	MostAttempts = 5
	// MostRetryAfter is the longest that a server may ask for and still be asked
	// again. What it wants to be left alone for longer is handed to the caller at
	// once: it is the one to know whether that is worth waiting for.
	MostRetryAfter = 10 * time.Second
)

// Policy says which attempts may be made again. The zero value is the default
// that needs no rule: what never reached a server is tried elsewhere whatever
// it was, and what lost its connection before an answer is tried elsewhere if
// it may be executed twice, as net/http itself does on reused connections.
type Policy struct {
	// MaxAttempts counts all tries of one call, the first one too. 0 means 3,
	// 1 means that nothing is retried.
	MaxAttempts int
	// On are the failures after which another attempt is made, and Codes the
	// answers: an HTTP status, or the number of a gRPC code, which are never the
	// same number. What a server may have executed is made again only where the
	// call is idempotent. Both empty: ConnectFailure and Reset.
	On    Condition
	Codes []int
	// Backoff is how the waits between attempts grow, see [Policy.Wait].
	Backoff BackoffConfig
	// AttemptTimeout bounds each attempt, within the call's own time. 0: nothing
	// else does.
	AttemptTimeout time.Duration
}

// Validate reports a bad field, its value and what is allowed.
func (p Policy) Validate() error {
	if p.MaxAttempts < 0 || p.MaxAttempts > MostAttempts {
		return fmt.Errorf("retry: Policy.MaxAttempts is %d: allowed is 0 (meaning %d) to %d", p.MaxAttempts, DefaultMaxAttempts, MostAttempts)
	}
	if all := Condition(1<<conditions - 1); p.On&^all != 0 {
		return fmt.Errorf("retry: Policy.On is %d: allowed is 0 (meaning what Codes say) to %d, the sum of all conditions", p.On, all)
	}
	for i, code := range p.Codes {
		if !(code >= 1 && code <= 16 || code >= 100 && code <= 599) {
			return fmt.Errorf("retry: Policy.Codes[%d] is %d: allowed is 1 to 16, which are gRPC codes, and 100 to 599, which are HTTP statuses", i, code)
		}
	}
	if p.AttemptTimeout < 0 {
		return fmt.Errorf("retry: Policy.AttemptTimeout is %v: allowed is 0 (meaning none) and more", p.AttemptTimeout)
	}
	if err := p.Backoff.Validate(); err != nil {
		return fmt.Errorf("retry: Policy.Backoff: %w", err)
	}
	return nil
}

// Most returns how many tries one call may have.
func (p Policy) Most() int {
	if p.MaxAttempts == 0 {
		return DefaultMaxAttempts
	}
	return p.MaxAttempts
}

// Allows reports whether an attempt that ended like this, the nth of its call
// (counted from 1), may be followed by another: if the call has one left, if the
// server has not asked to be left alone, if the failure is one of the policy's,
// and if a server cannot have executed it or may do so twice.
func (p Policy) Allows(e Ended, n int) bool {
	return n < p.Most() && !e.Stop && e.RetryAfter <= MostRetryAfter && p.names(e) && (e.How == ConnectFailure || e.Idempotent)
}

// names reports whether a failure is one of those that the policy is about.
func (p Policy) names(e Ended) bool {
	on := p.On
	if on == 0 && len(p.Codes) == 0 {
		on = ConnectFailure | Reset
	}
	return on&e.How != 0 || slices.Contains(p.Codes, e.Code)
}

// Wait returns how long to wait after an attempt that ended like this, the nth of
// its call, before the next begins. Who got no answer goes to another instance at
// once, since nothing is known of that one; from then on it waits with backoff. An
// answer, which tells of too much work or of a fault that others may share, is
// followed by a backoff from the first time on, as in Envoy. A server that asked
// for a time gets at least that, spread up to 1.5 times of it, also as in Envoy, so
// that those who were sent away together do not return together.
func (p Policy) Wait(e Ended, n int, bits uint64) time.Duration {
	if e.How&unanswered != 0 {
		n--
	}
	wait := p.Backoff.Wait(n, bits)
	if e.RetryAfter > 0 {
		wait = max(wait, e.RetryAfter+part(e.RetryAfter/2, bits))
	}
	return wait
}

// Next decides what follows an attempt, the nth of its call: the budget pays if
// another does, which is to begin after the wait. Where one was due and cannot be
// paid, the error is that of [Budget.Withdraw]. The bits are random.
func (p Policy) Next(b *Budget, now time.Duration, e Ended, n int, bits uint64) (wait time.Duration, again bool, err error) {
	if !p.Allows(e, n) {
		return 0, false, nil
	}
	if err := b.Withdraw(now); err != nil {
		return 0, false, err
	}
	return p.Wait(e, n, bits), true, nil
}
