package breaker

// Reason says which rule opened a breaker.
type Reason uint8

const (
	// NoReason: it did not open. There is one way only from open to half-open,
	// and one to closed.
	NoReason Reason = iota
	// FailureRate: too large a share of the window failed.
	FailureRate
	// ConsecutiveFailures: too many failed in a row.
	ConsecutiveFailures
	// SlowCalls: too large a share of the window was slow; in the half-open state,
	// one that was to find out was.
	SlowCalls
	// ProbeFailed: one that was to find out whether it may close failed.
	ProbeFailed
)

var reasonNames = [...]string{"", "failure-rate", "consecutive-failures", "slow-calls", "probe-failed"}

func (r Reason) String() string { return nameOf(reasonNames[:], int(r)) }

// MarshalText makes a reason readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// verdict says whether a closed breaker opens, and why. It is asked after calls
// that failed or were slow: no good one opens it, even if it is the one that makes
// MinRequests full.
func (c Config) verdict(n Counts) Reason {
	if c.ConsecutiveFailures > 0 && n.ConsecutiveFailures >= c.ConsecutiveFailures {
		return ConsecutiveFailures
	}
	if n.Requests < c.MinRequests {
		return NoReason
	}
	switch {
	case share(n.Failures, n.Requests) >= c.FailureRate:
		return FailureRate
	case share(n.Slow, n.Requests) >= c.SlowCallRate:
		return SlowCalls
	}
	return NoReason
}

// share divides, as the rate times the whole may be above the part it was made
// of: 0.07 × 100 is more than 7.
func share(part, whole int) float64 { return float64(part) / float64(whole) }
