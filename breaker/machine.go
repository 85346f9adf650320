package breaker

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

// report is what gobreaker is told of a call: an error to it, so that it comes
// back in the questions below. As it fits into a byte, it is not allocated.
type report uint8

const (
	ignored report = iota // neither success nor failure; in half-open, its place is free
	succeeded
	succeededSlowly
	failed
	failedSlowly
)

func (r report) Error() string { return "report of a call" } // nobody reads it

func (r report) slow() bool { return r == succeededSlowly || r == failedSlowly }

func (r report) failure() bool { return r >= failed }

// settings has gobreaker keep the states, the generations and the places in the
// half-open state, and ask here for everything else. It counts calls too, over no
// window at all, and is not asked for it: see window.
//
// All of these functions run under gobreaker's lock, and the first two only for
// calls that began in the state that it is in.
func (b *Breaker) settings() gobreaker.Settings {
	return gobreaker.Settings{
		Name:          b.name,
		MaxRequests:   uint32(b.config.HalfOpenRequests),
		Timeout:       b.config.OpenFor,
		IsExcluded:    func(err error) bool { r, _ := err.(report); return r == ignored },
		IsSuccessful:  b.judge,
		ReadyToTrip:   func(gobreaker.Counts) bool { return b.verdict != NoReason },
		OnStateChange: b.changed,
	}
}

// judge counts a call and says whether it was good. A slow one that opens the
// breaker is called a failure, as only failures open gobreaker; it forgets them
// with the change, and the window here has counted a slow success.
func (b *Breaker) judge(err error) bool {
	r, _ := err.(report)
	counts := b.window.add(time.Duration(b.ended.Load()), r.failure(), r.slow())
	if r == succeeded {
		return true
	}
	switch {
	case b.at().state() == Closed:
		b.verdict = b.config.verdict(counts)
	case r.failure():
		b.verdict = ProbeFailed
	default:
		b.verdict = SlowCalls
	}
	return !r.failure() && b.verdict == NoReason
}

// changed notes a change of state.
func (b *Breaker) changed(_ string, from, to gobreaker.State) {
	c := Change{
		Name: b.name, From: State(from), To: State(to),
		Reason: b.verdict, Time: time.Now(), Counts: b.window.clear(),
	}
	b.verdict = NoReason
	if c.To == Open {
		b.opened.Add(1)
		b.openUntil.Store(int64(b.now() + b.config.OpenFor))
	}
	b.epoch.Store(uint64(b.at().next(c.To)))
	b.changes.note(c)
}
