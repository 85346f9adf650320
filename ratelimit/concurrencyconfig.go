package ratelimit

import (
	"fmt"
	"time"
)

const (
	// MostInFlight bounds every limit of calls in flight.
	MostInFlight = 1_000_000
	// MostWait bounds how long a call may wait for its turn.
	MostWait = time.Minute
)

// ConcurrencyConfig bounds the calls that are in flight. The zero value is no valid
// one, unless there is an [AdaptiveConfig] beside it.
type ConcurrencyConfig struct {
	// Max is how many calls may be in flight, above 0; with Adaptive 0, since that
	// says it.
	Max int
	// Adaptive learns the limit from how long calls take. nil: Max holds.
	Adaptive *AdaptiveConfig
	// MaxWait is how long a call may wait for its turn, within its own deadline. As
	// many as may be in flight may wait, those of higher priority go first. 0: it is
	// refused at once.
	MaxWait time.Duration
}

// Validate reports a bad field, its value and what is allowed.
func (c ConcurrencyConfig) Validate() error {
	switch {
	case c.Adaptive != nil && c.Max != 0:
		return fmt.Errorf("ratelimit: ConcurrencyConfig.Max is %d: allowed is 0 beside Adaptive", c.Max)
	case c.Adaptive == nil && (c.Max < 1 || c.Max > MostInFlight):
		return fmt.Errorf("ratelimit: ConcurrencyConfig.Max is %d: allowed is 1 to %d", c.Max, MostInFlight)
	case c.MaxWait < 0 || c.MaxWait > MostWait:
		return fmt.Errorf("ratelimit: ConcurrencyConfig.MaxWait is %v: allowed is 0 (meaning that none waits) to %v", c.MaxWait, MostWait)
	case c.Adaptive != nil:
		return c.Adaptive.Validate()
	}
	return nil
}
