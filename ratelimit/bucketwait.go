package ratelimit

import (
	"context"
	"sync/atomic"
	"time"
)

// Wait takes a token for a call of priority p, and waits for it if need be: at most
// so long, and within the deadline of the context. A call whose turn would come
// later is refused at once and takes nothing: the error is [ErrRate]. If the context
// ends while it waits, the error is that of the context and the token is given back.
//
// Calls wait in the order in which they came. Those that have to leave tokens to more
// important ones, see [Bucket], take theirs only when it is there, so they may be
// refused later, if others took what they waited for.
func (b *Bucket) Wait(ctx context.Context, p Priority, most time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.asked != nil {
		b.asked.Add(1)
	}
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	moment := b.line.clock()
	b.see(moment, p)
	switch {
	case b.left(moment, p) > 0:
		return b.waitBehind(ctx, moment, p, most)
	case b.take(moment, p):
		return nil
	}
	return b.waitInTurn(ctx, moment, most)
}

// waitInTurn takes the next token that nobody else has a right to, and waits for it.
func (b *Bucket) waitInTurn(ctx context.Context, moment, most time.Duration) error {
	if b.until(moment, 1) > most { // of many that are refused none shall be in the way of others, not even for a moment
		return ErrRate
	}
	t := b.line.time(moment)
	wait := b.limiter.ReserveN(t, 1).DelayFrom(t)
	if wait > most { // others came in between
		b.giveBack()
		return ErrRate
	}
	err := sleep(ctx, wait)
	if err != nil {
		b.giveBack()
	}
	return err
}

// giveBack takes a token less than none. To cancel a reservation is not the same:
// x/time gives nothing back if another was made since.
func (b *Bucket) giveBack() { b.limiter.ReserveN(b.line.time(b.line.clock()), -1) }

// waitBehind waits until there are tokens enough to leave some to others.
func (b *Bucket) waitBehind(ctx context.Context, began time.Duration, p Priority, most time.Duration) error {
	place := int64(-1)
	for moment := began; ; moment = b.line.clock() {
		wait, took := b.turn(moment, p, place)
		if took {
			return nil
		}
		err := ErrRate
		if wait <= most-(moment-began) {
			if place < 0 {
				place = b.queues[p.Index()].joined.Add(1) - 1
			}
			err = sleep(ctx, max(wait, 1))
		}
		if err != nil {
			if place >= 0 {
				b.queues[p.Index()].left.Add(1)
			}
			return err
		}
	}
}

// turn takes a token for a call in its place, or for one that has none yet, if there
// is one and nobody goes before; else it says when that may be.
func (b *Bucket) turn(moment time.Duration, p Priority, place int64) (wait time.Duration, took bool) {
	if place < 0 && b.ahead(p, place) == 0 && b.take(moment, p) {
		return 0, true // most have nobody before them
	}
	b.turns.Lock()
	defer b.turns.Unlock()
	ahead := b.ahead(p, place)
	if ahead > 0 || !b.take(moment, p) {
		return b.until(moment, 1+b.left(moment, p)+ahead), false
	}
	if place >= 0 {
		b.queues[p.Index()].left.Add(1)
	}
	return 0, true
}

// ahead is how many go before such a call: all that wait and are more important, and
// those of its own kind that came before.
func (b *Bucket) ahead(p Priority, place int64) float64 {
	n := b.queues[p.Index()].ahead(place)
	for i := p.Index() + 1; i < len(b.queues); i++ {
		n += b.queues[i].ahead(-1)
	}
	return n
}

// queue counts the calls of one priority that wait behind others.
type queue struct{ joined, left atomic.Int64 }

// ahead is how many go before a call in its place, or before one that has none yet.
// Those that gave up behind it count as if they had gone before: then it looks too
// early, and looks again.
func (q *queue) ahead(place int64) float64 {
	if place < 0 {
		place = q.joined.Load()
	}
	return float64(max(0, place-q.left.Load()))
}

// sleep returns the error of the context if that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
