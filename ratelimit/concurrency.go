package ratelimit

import (
	"context"
	"sync"
	"time"
)

// Concurrency bounds the calls that are in flight. It is safe for concurrent use.
type Concurrency struct {
	mu       sync.Mutex
	config   ConcurrencyConfig
	adaptive *Adaptive
	inFlight int
	freed    chan struct{}
	waiting  int
}

// NewConcurrency returns a limit with nothing in flight. The error names the bad
// field.
func NewConcurrency(c ConcurrencyConfig) (*Concurrency, error) {
	l := &Concurrency{freed: make(chan struct{})}
	if err := l.Set(c); err != nil {
		return nil, err
	}
	return l, nil
}

// Set changes the bounds. Calls in flight stay counted.
func (l *Concurrency) Set(c ConcurrencyConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.config = c
	switch {
	case c.Adaptive == nil:
		l.adaptive = nil
	case l.adaptive == nil:
		l.adaptive, _ = NewAdaptive(*c.Adaptive)
	default:
		l.adaptive.Set(*c.Adaptive)
	}
	l.wakeLocked()
	return nil
}

func (l *Concurrency) wakeLocked() {
	close(l.freed)
	l.freed = make(chan struct{})
}

func (l *Concurrency) limitLocked() int {
	if l.adaptive != nil {
		return l.adaptive.Limit()
	}
	return l.config.Max
}

// TryAcquire takes a place if one is free. It never waits.
func (l *Concurrency) TryAcquire(p Priority) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tryLocked()
}

func (l *Concurrency) tryLocked() bool {
	if l.inFlight >= l.limitLocked() {
		return false
	}
	l.inFlight++
	return true
}

// Acquire takes a place, and waits for it if it has to.
func (l *Concurrency) Acquire(ctx context.Context, p Priority) error {
	var timeout <-chan time.Time
	for {
		l.mu.Lock()
		ok, freed, most := l.tryLocked(), l.freed, l.config.MaxWait
		if !ok && l.waiting >= l.limitLocked() {
			most = 0
		}
		if !ok && most > 0 {
			l.waiting++
		}
		l.mu.Unlock()
		if ok {
			return nil
		}
		if most == 0 {
			return ErrConcurrency
		}
		if timeout == nil {
			timer := time.NewTimer(most)
			defer timer.Stop()
			timeout = timer.C
		}
		var err error
		select {
		case <-freed:
		case <-timeout:
			err = ErrConcurrency
		case <-ctx.Done():
			err = ctx.Err()
		}
		l.mu.Lock()
		l.waiting--
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// Release gives a place back.
func (l *Concurrency) Release(p Priority) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.wakeLocked()
}

// Done is a Release that teaches an Adaptive limit.
func (l *Concurrency) Done(p Priority, now, took time.Duration, dropped bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.adaptive != nil {
		l.adaptive.Done(now, took, l.inFlight, dropped)
	}
	l.inFlight--
	l.wakeLocked()
}

// InFlight is how many calls are in flight.
func (l *Concurrency) InFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight
}

// Limit is how many calls may be in flight.
func (l *Concurrency) Limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limitLocked()
}

// Waiting is how many calls wait for a place.
func (l *Concurrency) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}
