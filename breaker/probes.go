package breaker

import (
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// lease is the place of one call in the half-open state.
type lease struct {
	done    func(error) // of gobreaker, which accepts a second word
	began   time.Duration
	expired bool // the place is somebody else's
	settled bool
}

// probes are the places in the half-open state. gobreaker gives them out and never
// takes one back from a call that hangs, and then rejects all others for ever.
type probes struct {
	// mu is held whenever a call asks or ends that might be one of them, so that
	// nobody leaves the half-open state without it. It is taken before
	// gobreaker's lock.
	mu     sync.Mutex
	leases []*lease // that hold a place in this half-open state
}

// probe asks for a call while the breaker is not closed. A zero ticket without an
// error means that it is closed after all.
func (b *Breaker) probe() (Ticket, error) {
	p := &b.probes
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.at().state() == Closed {
		return Ticket{}, nil
	}
	now := b.now()
	done, err := b.machine.Allow()
	if err == gobreaker.ErrTooManyRequests && p.expireLocked(now-b.config.ProbeTimeout) {
		done, err = b.machine.Allow()
	}
	switch err {
	case nil:
	case gobreaker.ErrTooManyRequests:
		return Ticket{}, &b.full
	default:
		return Ticket{}, &b.open
	}
	l := &lease{done: done, began: now}
	p.leases = append(p.leases, l)
	return Ticket{breaker: b, lease: l, at: b.at(), began: now}, nil
}

// expireLocked frees the places of those that began at a time or before, and
// reports whether there were any.
func (p *probes) expireLocked(before time.Duration) (any bool) {
	p.leases = slices.DeleteFunc(p.leases, func(l *lease) bool {
		if l.began > before {
			return false
		}
		l.expired, any = true, true
		l.done(ignored)
		return true
	})
	return any
}

// settle tells gobreaker how one ended. One that expired has no place to give
// back, but what it found out counts like that of any other.
func (b *Breaker) settle(l *lease, at epoch, r report) {
	p := &b.probes
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.settled || b.at() != at {
		return
	}
	l.settled = true
	p.leases = slices.DeleteFunc(p.leases, func(other *lease) bool { return other == l })
	if r != ignored || !l.expired {
		l.done(r)
	}
	if b.at() != at {
		p.leases = nil // it decided
	}
}
