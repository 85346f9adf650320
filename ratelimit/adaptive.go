package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// Adaptive learns how many calls may be in flight. It is safe for concurrent use.
type Adaptive struct {
	limit  atomic.Int64
	mu     sync.Mutex
	config AdaptiveConfig
	value  float64
	end    time.Duration
	n      int
	sum    time.Duration
	peak   int
	drop   bool
	base   float64
}

// NewAdaptive returns a limit that has learned nothing yet. The error names the bad
// field.
func NewAdaptive(c AdaptiveConfig) (*Adaptive, error) {
	a := &Adaptive{}
	if err := a.Set(c); err != nil {
		return nil, err
	}
	return a, nil
}

// Set changes the bounds. What was learned stays, within them.
func (a *Adaptive) Set(c AdaptiveConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = c.withDefaults()
	if a.value == 0 {
		a.value = float64(a.config.Initial)
	}
	a.storeLocked()
	return nil
}

func (a *Adaptive) storeLocked() {
	a.value = min(max(a.value, float64(a.config.Min)), float64(a.config.Max))
	a.limit.Store(int64(a.value))
}

// Limit is how many calls may be in flight.
func (a *Adaptive) Limit() int { return int(a.limit.Load()) }

// Done tells of a call that ended at now and took so long.
func (a *Adaptive) Done(now, took time.Duration, inFlight int, dropped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.sum += took
	a.peak = max(a.peak, inFlight)
	a.drop = a.drop || dropped
	if now < a.end || a.n < 10 {
		return
	}
	mean := float64(a.sum) / float64(a.n)
	if a.base == 0 || mean < a.base {
		a.base = mean
	} else {
		a.base += (mean - a.base) / 100
	}
	switch {
	case a.drop:
		a.value *= 0.9
	case 2*a.peak < int(a.value):
	default:
		g := min(max(2*a.base/mean, 0.5), 1)
		a.value = 0.8*a.value + 0.2*(a.value*g+4)
	}
	a.storeLocked()
	a.n, a.sum, a.peak, a.drop, a.end = 0, 0, 0, false, now+250*time.Millisecond
}
