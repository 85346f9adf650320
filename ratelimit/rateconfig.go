package ratelimit

import (
	"fmt"
	"math"
)

const (
	// DefaultMaxKeys is what a zero [RateConfig].MaxKeys means.
	DefaultMaxKeys = 10_000
	// MaxRate, MaxBurst and MostKeys bound a [RateConfig].
	MaxRate  = 1e9
	MaxBurst = 1_000_000_000
	MostKeys = 1_000_000
)

// RateConfig is a token bucket: how many calls there may be in a second, and how
// many of them at once. The zero value is no valid one, since a limit that is not
// set is none at all.
type RateConfig struct {
	// Rate is in calls per second, above 0.
	Rate float64
	// Burst is how many calls may come at once; 0: as many as in a second, and at
	// least one.
	Burst int
	// MaxKeys is how many keys [Buckets] keep a bucket for; 0: 10 000.
	MaxKeys int
}

// Validate reports a bad field, its value and what is allowed.
func (c RateConfig) Validate() error {
	if !(c.Rate > 0 && c.Rate <= MaxRate) {
		return fmt.Errorf("ratelimit: RateConfig.Rate is %v: allowed is above 0 to %v calls per second", c.Rate, float64(MaxRate))
	}
	if c.Burst < 0 || c.Burst > MaxBurst {
		return fmt.Errorf("ratelimit: RateConfig.Burst is %d: allowed is 0 (meaning the calls of a second) to %d", c.Burst, MaxBurst)
	}
	if c.MaxKeys < 0 || c.MaxKeys > MostKeys {
		return fmt.Errorf("ratelimit: RateConfig.MaxKeys is %d: allowed is 0 (meaning %d) to %d", c.MaxKeys, DefaultMaxKeys, MostKeys)
	}
	return nil
}

// burst is what a zero Burst means.
func (c RateConfig) burst() int {
	if c.Burst != 0 {
		return c.Burst
	}
	return int(max(1, min(math.Ceil(c.Rate), MaxBurst)))
}

func (c RateConfig) maxKeys() int {
	if c.MaxKeys != 0 {
		return c.MaxKeys
	}
	return DefaultMaxKeys
}
