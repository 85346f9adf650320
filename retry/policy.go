package retry

import (
	"fmt"
	"time"
)

// DefaultMaxAttempts is what a zero Policy allows.
const DefaultMaxAttempts = 3

// MostAttempts is the largest MaxAttempts; gRFC A6 has the same ceiling.
const MostAttempts = 5

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
	// Backoff is how long to wait before the third attempt and those that follow.
	Backoff BackoffConfig
	// AttemptTimeout bounds each attempt, within the call's own time. 0: nothing
	// else does.
	AttemptTimeout time.Duration
}

// BackoffConfig is how the waits before attempts grow, in Envoy's words. The zero
// value is Envoy's default.
type BackoffConfig struct {
	BaseInterval time.Duration // 0: 25 ms
	MaxInterval  time.Duration // 0: ten times the base
}

// Validate reports a bad field, its value and what is allowed.
func (p Policy) Validate() error {
	if p.MaxAttempts < 0 || p.MaxAttempts > MostAttempts {
		return fmt.Errorf("retry: Policy.MaxAttempts is %d: allowed is 0 (meaning %d) to %d", p.MaxAttempts, DefaultMaxAttempts, MostAttempts)
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

// Failure says what is known of an attempt that failed.
type Failure uint8

const (
	// Answered: the server answered, if only with an error, or we ended the
	// attempt ourselves. Not retried without a rule.
	Answered Failure = iota
	// Unsent: nothing of it reached a server.
	Unsent
	// Lost: the connection was lost before an answer; it may have been
	// executed.
	Lost
)

// Next decides what follows an attempt that ended in f, the nth of its call: the
// budget pays if another does, which is to begin after the wait. Where one was
// due and cannot be paid, the error is [ErrBudgetSpent]. Bits are random, see
// [Backoff].
func (p Policy) Next(b *Budget, now time.Duration, f Failure, n int, idempotent bool, bits uint64) (wait time.Duration, again bool, err error) {
	if !p.Allows(f, n, idempotent) {
		return 0, false, nil
	}
	if !b.Withdraw(now) {
		return 0, false, ErrBudgetSpent
	}
	return Backoff(n+1, bits), true, nil
}

// Allows reports whether an attempt that ended in f, the nth of its call
// (counted from 1), may be followed by another.
func (p Policy) Allows(f Failure, n int, idempotent bool) bool {
	return n < p.Most() && (f == Unsent || f == Lost && idempotent)
}
