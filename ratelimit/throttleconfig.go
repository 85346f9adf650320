package ratelimit

import (
	"fmt"
	"time"
)

// What a zero [ThrottleConfig] means. K is that of Google's SRE book.
const (
	DefaultK         = 2.0
	DefaultWindow    = 5 * time.Second
	DefaultMaxReject = 0.9
)

// ThrottleConfig says when calls are not sent since the service refuses too many.
// The zero value is good.
type ThrottleConfig struct {
	// K is how many calls may be sent for each one that the service accepts, above
	// 1; 0: 2.
	K float64
	// Window is the time over which calls are counted; 0: 5 s.
	Window time.Duration
	// MaxReject is the share of calls that is not sent at most, below 1, so that the
	// recovery of the service is always noticed; 0: 0.9.
	MaxReject float64
}

// Validate reports a bad field, its value and what is allowed.
func (c ThrottleConfig) Validate() error {
	if c.K != 0 && !(c.K > 1 && c.K <= 100) {
		return fmt.Errorf("ratelimit: ThrottleConfig.K is %v: allowed is 0 (meaning %v) or above 1 to 100", c.K, DefaultK)
	}
	if c.Window != 0 && (c.Window < time.Second || c.Window > time.Hour) {
		return fmt.Errorf("ratelimit: ThrottleConfig.Window is %v: allowed is 0 (meaning %v) or 1s to 1h", c.Window, DefaultWindow)
	}
	if !(c.MaxReject >= 0 && c.MaxReject < 1) {
		return fmt.Errorf("ratelimit: ThrottleConfig.MaxReject is %v: allowed is 0 (meaning %v) to below 1", c.MaxReject, DefaultMaxReject)
	}
	return nil
}

func (c ThrottleConfig) withDefaults() ThrottleConfig {
	if c.K == 0 {
		c.K = DefaultK
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.MaxReject == 0 {
		c.MaxReject = DefaultMaxReject
	}
	return c
}
