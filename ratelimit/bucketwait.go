package ratelimit

import (
	"context"
	"time"
)

// Wait takes a token for a call of priority p, and waits for it if need be: at most
// so long, and within the deadline of the context. A call whose turn would come
// later is refused at once and takes nothing: the error is [ErrRate]. If the context
// ends while it waits, the error is that of the context and the token is given back.
//
// Calls wait in the order in which they came. One that has to leave tokens to more
// important ones, see [Bucket], has no turn that is sure: it is refused later if
// those took what it waited for.
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
	began := b.line.clock()
	b.see(began, p)
	for moment := began; ; moment = b.line.clock() {
		left, ahead := b.left(moment, p), 0.0
		if moment == began && left > 0 {
			ahead = b.ahead(p)
		}
		if ahead == 0 && b.take(moment, p) {
			return nil
		}
		most := most - (moment - began)
		if left == 0 {
			return b.inTurn(ctx, moment, most)
		}
		turn := b.until(moment, 1+left+b.ahead(p))
		if turn > most {
			return ErrRate
		}
		queued := &b.queued[p.Index()]
		queued.Add(1)
		err := sleep(ctx, turn)
		queued.Add(-1)
		if err != nil {
			return err
		}
	}
}

// inTurn takes the next token that nobody else has a right to, and waits for it.
func (b *Bucket) inTurn(ctx context.Context, moment, most time.Duration) error {
	if b.until(moment, 1) > most {
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

// ahead is how many calls wait that go before one of priority p that comes now,
// and leave tokens to others, as it does.
func (b *Bucket) ahead(p Priority) (n float64) {
	for i := p.Index(); i < len(b.queued); i++ {
		n += float64(b.queued[i].Load())
	}
	return n
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
