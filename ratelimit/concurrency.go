package ratelimit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Concurrency bounds the calls that are in flight, as a bulkhead keeps what is
// behind it dry. Where calls may not wait, the less important leave places to the
// more important, see [Precedence]. Where they may wait, a place that becomes free goes to the
// most important call that waits, and who comes when as many wait as the limit takes the
// room of a less important one.
//
// It is safe for concurrent use. Below the limit a call takes no lock, and nothing
// allocates unless it waits.
type Concurrency struct {
	inFlight atomic.Int64
	waiting  atomic.Int64
	_        [48]byte // what follows is hardly ever written

	most       atomic.Int64             // where it is not learned
	adaptive   atomic.Pointer[Adaptive] // nil: it is not
	maxWait    atomic.Int64
	precedence Precedence

	mu    sync.Mutex // guards what follows, and is held to wait and to wake
	queue [NumberOfPriorities]waiters
}

// NewConcurrency returns a limit with nothing in flight. The error names the bad
// field.
func NewConcurrency(c ConcurrencyConfig) (*Concurrency, error) {
	l := &Concurrency{}
	if err := l.Set(c); err != nil {
		return nil, err
	}
	return l, nil
}

// Set changes the bounds. Calls in flight stay counted, those that wait go on waiting, and what was
// learned stays. The error names the bad field; then nothing changes.
func (l *Concurrency) Set(c ConcurrencyConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most.Store(int64(c.Max))
	l.maxWait.Store(int64(c.MaxWait))
	switch a := l.adaptive.Load(); {
	case c.Adaptive == nil:
		l.adaptive.Store(nil)
	case a == nil:
		a, _ = NewAdaptive(*c.Adaptive) // validated
		l.adaptive.Store(a)
	default:
		_ = a.Set(*c.Adaptive) // validated
	}
	l.wakeLocked()
	return nil
}

// Limit is how many calls may be in flight.
func (l *Concurrency) Limit() int {
	if a := l.adaptive.Load(); a != nil {
		return a.Limit()
	}
	return int(l.most.Load())
}

// InFlight is how many calls are in flight.
func (l *Concurrency) InFlight() int { return int(l.inFlight.Load()) }

// Waiting is how many calls wait for a place.
func (l *Concurrency) Waiting() int { return int(l.waiting.Load()) }

// TryAcquire takes a place if there is one for a call of priority p, and never
// waits. Release or Done must follow exactly once if it reports true.
func (l *Concurrency) TryAcquire(p Priority) bool {
	limit := l.Limit()
	if l.maxWait.Load() != 0 {
		return l.take(limit)
	}
	l.precedence.Note(p)
	return l.take(l.precedence.Room(limit, p))
}

// take takes a place if fewer than room are taken.
func (l *Concurrency) take(room int) bool {
	for {
		n := l.inFlight.Load()
		if n >= int64(room) {
			return false
		}
		if l.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Acquire takes a place, and waits for it at most MaxWait, within ctx. It fails with
// [ErrConcurrency], or with the error of ctx if that ends first. Release or Done must
// follow exactly once if it returns nil.
func (l *Concurrency) Acquire(ctx context.Context, p Priority) error {
	if l.waiting.Load() == 0 && l.TryAcquire(p) {
		return nil
	}
	most := time.Duration(l.maxWait.Load())
	if most == 0 {
		return ErrConcurrency
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := l.enqueue(p)
	if w == nil {
		return ErrConcurrency
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-w.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return l.leave(ctx, w)
}

// Release gives a place back.
func (l *Concurrency) Release(Priority) {
	l.inFlight.Add(-1)
	// Who enqueues counts itself first and looks for a place after, and this looks the
	// other way round: one of the two finds the other.
	if l.waiting.Load() > 0 {
		l.mu.Lock()
		l.wakeLocked()
		l.mu.Unlock()
	}
}

// Done is a Release of a call that ended at now, for a limit that is learned: how
// long it took, and whether it was dropped, see [Adaptive].Done.
func (l *Concurrency) Done(p Priority, now, took time.Duration, dropped bool) {
	if a := l.adaptive.Load(); a != nil {
		a.Done(now, took, l.InFlight(), dropped)
	}
	l.Release(p)
}
