package ratelimit

import (
	"sync"
	"time"
)

// Throttle does not send calls that the service would refuse anyway, as in chapter
// 21 of Google's SRE book. It is safe for concurrent use.
type Throttle struct {
	mu      sync.Mutex
	config  ThrottleConfig
	parts   [10]throttlePart
	rejects [NumberOfPriorities]float64
	next    time.Duration
}

type throttlePart struct {
	number   int64
	requests [NumberOfPriorities]float64
	accepts  float64
}

// NewThrottle returns a throttle that refuses nothing yet. The error names the bad
// field.
func NewThrottle(c ThrottleConfig) (*Throttle, error) {
	t := &Throttle{}
	if err := t.Set(c); err != nil {
		return nil, err
	}
	return t, nil
}

// Set changes the bounds. What was counted stays.
func (t *Throttle) Set(c ThrottleConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.config = c.withDefaults()
	return nil
}

func (t *Throttle) partLocked(now time.Duration) *throttlePart {
	number := int64(now / (t.config.Window / 10))
	p := &t.parts[number%10]
	if p.number != number {
		*p = throttlePart{number: number}
	}
	return p
}

func (t *Throttle) reckonLocked(now time.Duration) {
	if now < t.next {
		return
	}
	t.next = now + 100*time.Millisecond
	current := t.partLocked(now).number
	var requests [NumberOfPriorities]float64
	var all, accepts float64
	for i := range t.parts {
		if p := &t.parts[i]; current-p.number < 10 {
			for j, r := range p.requests {
				requests[j] += r
				all += r
			}
			accepts += p.accepts
		}
	}
	share := min(max(0, (all-t.config.K*accepts)/(all+1)), t.config.MaxReject)
	if all < 5*t.config.Window.Seconds() {
		share = 0
	}
	refuse := share * all
	for i, r := range requests {
		t.rejects[i] = 0
		if n := min(r, refuse); r > 0 {
			t.rejects[i] = n / r
			refuse -= n
		}
	}
}

// Allow reports whether a call is to be sent. If it is not, it is counted as one
// that was not.
func (t *Throttle) Allow(now time.Duration, p Priority, random uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reckonLocked(now)
	if float64(random>>11)/(1<<53) >= t.rejects[p.Index()] {
		return true
	}
	t.partLocked(now).requests[p.Index()]++
	return false
}

// Done tells of an attempt that was sent and ended.
func (t *Throttle) Done(now time.Duration, p Priority, accepted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	part := t.partLocked(now)
	part.requests[p.Index()]++
	if accepted {
		part.accepts++
	}
	t.reckonLocked(now)
}

// Rejecting is the share of calls that is not sent, by [Priority.Index].
func (t *Throttle) Rejecting() [NumberOfPriorities]float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rejects
}
