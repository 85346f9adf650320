package caller

import (
	"sync"
	"time"
)

// pace is how many calls are to be made a second, and how many that makes.
type pace struct {
	mu    sync.Mutex // guards all below
	rate  float64
	since time.Time // from when on calls are due at this rate; zero: none is
	due   float64   // calls until then
}

// set changes the rate.
func (p *pace) set(rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reckonLocked(time.Now())
	p.rate = rate
}

// begin has calls due from now on, and end no more.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Now()
}

func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reckonLocked(time.Now())
	p.since = time.Time{}
}

// wanted is how many calls were due so far.
func (p *pace) wanted() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reckonLocked(time.Now())
	return p.due
}

// interval is how long after one call the next is due.
func (p *pace) interval() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(float64(time.Second) / p.rate)
}

func (p *pace) reckonLocked(now time.Time) {
	if !p.since.IsZero() {
		p.due += p.rate * now.Sub(p.since).Seconds()
		p.since = now
	}
}
