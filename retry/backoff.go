package retry

import (
	"fmt"
	"math/bits"
	"time"
)

const (
	defaultBase = 25 * time.Millisecond
	longest     = time.Hour // of any interval that can be set
)

// BackoffConfig is how the waits before attempts grow, in Envoy's words. The zero
// value is Envoy's default.
type BackoffConfig struct {
	BaseInterval time.Duration // 0: 25 ms
	MaxInterval  time.Duration // 0: ten times the base
}

// Validate reports a bad field, its value and what is allowed.
func (c BackoffConfig) Validate() error {
	if c.BaseInterval < 0 || c.BaseInterval > longest {
		return fmt.Errorf("retry: BackoffConfig.BaseInterval is %v: allowed is 0 (meaning %v) to %v", c.BaseInterval, defaultBase, longest)
	}
	if base := c.base(); c.MaxInterval != 0 && (c.MaxInterval < base || c.MaxInterval > longest) {
		return fmt.Errorf("retry: BackoffConfig.MaxInterval is %v: allowed is 0 (meaning ten times the base) or the base of %v to %v", c.MaxInterval, base, longest)
	}
	return nil
}

func (c BackoffConfig) base() time.Duration {
	if c.BaseInterval == 0 {
		return defaultBase
	}
	return c.BaseInterval
}

// Wait returns the nth wait of a call, counted from 1; before that there is none.
// It has full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): it is
// drawn by the random bits from all that is below a ceiling, which is the base for
// the first wait, doubles with every other, and ends at MaxInterval.
func (c BackoffConfig) Wait(n int, random uint64) time.Duration {
	if n < 1 {
		return 0
	}
	ceiling, most := c.base(), c.MaxInterval
	if most == 0 {
		most = 10 * ceiling
	}
	if doublings := min(n-1, 62); ceiling > most>>doublings {
		ceiling = most
	} else {
		ceiling <<= doublings
	}
	return part(ceiling, random)
}

// part draws from all that is at least nothing and below d.
func part(d time.Duration, random uint64) time.Duration {
	drawn, _ := bits.Mul64(uint64(d), random)
	return time.Duration(drawn)
}
