package ratelimit

import "fmt"

// What a zero [AdaptiveConfig] means.
const (
	DefaultMinLimit     = 4
	DefaultMaxLimit     = 1000
	DefaultInitialLimit = 20
)

// AdaptiveConfig bounds a limit that is learned. The zero value is good.
type AdaptiveConfig struct {
	Min     int // the least it may become; 0: 4
	Max     int // the most it may become; 0: 1000
	Initial int // what it begins with; 0: 20, within Min and Max
	// Alone says that all calls to what is limited pass this one limit, as at a server.
	// Then it finds out, within two minutes, that calls have come to take longer for
	// another reason than their number. Of many who share something none can tell.
	Alone bool
}

// AtClient returns c with the defaults of a limit that a client has for each
// instance: 1 for Min, and 4 for Initial, within the bounds. Of a hundred clients each
// has its part of what an instance can do, which may be less than one call at a time.
func (c AdaptiveConfig) AtClient() AdaptiveConfig {
	if c.Min == 0 {
		c.Min = 1
	}
	if c.Initial == 0 {
		c.Initial = max(c.Min, 4)
		if c.Max != 0 {
			c.Initial = min(c.Initial, c.Max)
		}
	}
	return c
}

// WithDefaults returns c with what its zero fields mean.
func (c AdaptiveConfig) WithDefaults() AdaptiveConfig {
	if c.Min == 0 {
		c.Min = DefaultMinLimit
		if c.Max != 0 {
			c.Min = min(c.Min, c.Max)
		}
	}
	if c.Max == 0 {
		c.Max = max(DefaultMaxLimit, c.Min)
	}
	if c.Initial == 0 {
		c.Initial = min(max(DefaultInitialLimit, c.Min), c.Max)
	}
	return c
}

// Validate reports a bad field, its value and what is allowed.
func (c AdaptiveConfig) Validate() error {
	for _, f := range [...]struct {
		name    string
		value   int
		meaning int
	}{{"Min", c.Min, DefaultMinLimit}, {"Max", c.Max, DefaultMaxLimit}, {"Initial", c.Initial, DefaultInitialLimit}} {
		if f.value < 0 || f.value > MostInFlight {
			return fmt.Errorf("ratelimit: AdaptiveConfig.%s is %d: allowed is 0 (meaning %d) to %d", f.name, f.value, f.meaning, MostInFlight)
		}
	}
	d := c.WithDefaults()
	if d.Max < d.Min {
		return fmt.Errorf("ratelimit: AdaptiveConfig.Max is %d: allowed is no less than Min, which is %d", c.Max, d.Min)
	}
	if d.Initial < d.Min || d.Initial > d.Max {
		return fmt.Errorf("ratelimit: AdaptiveConfig.Initial is %d: allowed is %d to %d, as Min and Max say", c.Initial, d.Min, d.Max)
	}
	return nil
}
