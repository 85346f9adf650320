package sim

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// race plans a second attempt beside the first of a call, as package transport
// does: not beside the last of several, for which nobody else is left.
func (w *world) race(c *call) {
	by, most := &w.clients[c.client], w.plan.Retry.Most()
	if by.hedge == nil || !w.plan.Idempotent || int(c.tries) >= most && most > 1 {
		return
	}
	now := time.Duration(w.now)
	by.hedge.Start(now, 0)
	if delay, ok := by.hedge.Delay(now, by.latencies); ok {
		w.queue.push(event{at: w.now + int64(delay), who: uint32(c.first), gen: w.attempts[c.first].gen, kind: joins})
	}
}

// join sends a call a second time, if its first attempt has no answer yet and the
// library allows it.
func (w *world) join(first int32) {
	a := &w.attempts[first]
	if !a.live {
		return
	}
	c := &w.calls[a.call]
	by := &w.clients[c.client]
	if by.hedge.Withdraw(time.Duration(w.now), by.budgetOf(c)) != nil {
		w.tally(c).Unhedged++
		return
	}
	number := a.call
	second := w.send(number)
	if second < 0 {
		return
	}
	w.attempts[second].second = true
	c = &w.calls[number]
	c.second = second
	w.tally(c).Hedges++
}

// settle says what an answered attempt means for its call. The first success wins.
// A first attempt that fails waits for the second, and has the word if that fails,
// too.
func (w *world) settle(number int32) {
	a := &w.attempts[number]
	c := &w.calls[a.call]
	other := c.second
	if a.second {
		other, c.second = c.first, none
	} else {
		c.first, c.failed, c.failer = none, a.ending, a.server
	}
	switch {
	case a.ending == served:
		if a.second {
			w.tally(c).HedgesWon++
		} else {
			w.took(a)
		}
		if other != none {
			w.giveUp(other)
		}
		w.end(a.call, well)
	case other == none:
		w.again(a.call)
	case !a.second:
		c.tries++ // both count, now that the first was in vain
	}
}

// giveUp ends an attempt that another has beaten.
func (w *world) giveUp(number int32) {
	a := &w.attempts[number]
	if !a.second {
		w.took(a)
	}
	a.live = false
	if a.ticket.Node() != nil {
		a.ticket.Done(time.Duration(w.now), balancer.Neutral)
	}
	w.leaves(number)
	w.drop(number)
}

// took lets a client learn how long a first attempt took, or at least took.
func (w *world) took(a *attempt) {
	if l := w.clients[w.calls[a.call].client].latencies; l != nil {
		l.Record(time.Duration(w.now), time.Duration(w.now-a.begun))
	}
}
