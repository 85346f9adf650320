package breaker

import "time"

// Outcome is how a call ended.
type Outcome uint8

const (
	// Neutral says nothing about what was called: the caller gave up, a hedge
	// lost, we refused the call ourselves. It is not counted.
	Neutral Outcome = iota
	// Success: it did its work.
	Success
	// Failure: it did not.
	Failure
)

// Ticket is one call that was let through. It is a value, for one goroutine at a
// time; Done, DoneAfter or DoneAt must be called on it once. A second time on the same
// variable does nothing, on a copy it may count again. The zero Ticket, which calls
// get that are not counted, may be done too, and nothing happens.
//
// A call that ends in another state than it began in does not count: what was sent
// before the breaker opened does not say whether it may close.
type Ticket struct {
	breaker *Breaker
	done    func(error) // of gobreaker; nil where there is a lease
	lease   *lease
	at      epoch
	began   time.Duration
}

// Done ends the call. It is slow if it took longer than SlowCallDuration since
// Allow.
func (t *Ticket) Done(o Outcome) {
	b := t.breaker
	if b == nil {
		return
	}
	var took time.Duration
	now := b.now()
	if b.window.slow > 0 {
		took = now - t.began
	}
	t.end(o, took, now)
}

// DoneAfter ends a call that took so long. 0 is for those whose length says
// nothing, such as streams.
func (t *Ticket) DoneAfter(o Outcome, took time.Duration) {
	if t.breaker != nil {
		t.end(o, took, t.breaker.now())
	}
}

// DoneAt is DoneAfter for those who have read the clock: the call ended at a moment,
// which has to be of the monotonic clock.
func (t *Ticket) DoneAt(o Outcome, took time.Duration, at time.Time) {
	if t.breaker != nil {
		t.end(o, took, at.Sub(t.breaker.began))
	}
}

// end tells gobreaker how it ended. The moment is left for judge, where another that
// ended beside it may find it as well: they are as good as at once.
func (t *Ticket) end(o Outcome, took, now time.Duration) {
	b := t.breaker
	t.breaker = nil
	if b.at() != t.at {
		return // gobreaker would drop it too, but turn half-open if the time has come
	}
	b.ended.Store(int64(now))
	r := b.report(o, took)
	if t.lease != nil {
		b.settle(t.lease, t.at, r)
		return
	}
	t.done(r)
}

func (b *Breaker) report(o Outcome, took time.Duration) report {
	slow := b.window.slow > 0 && took > b.window.slow
	switch {
	case o == Neutral:
		return ignored
	case o == Failure && slow:
		return failedSlowly
	case o == Failure:
		return failed
	case slow:
		return succeededSlowly
	}
	return succeeded
}
