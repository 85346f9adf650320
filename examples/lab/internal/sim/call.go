package sim

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
)

// mostSent is how many attempts a call can have: each but the last of several may
// be raced by another.
const mostSent = 2*retry.MostAttempts - 1

// none is no attempt, no server, no client. Full is no attempt, and no server, since
// the client has as many calls at each as it may.
const (
	none = -1
	full = -2
)

// call is one call of a client with all its attempts.
type call struct {
	work   float64 // nanoseconds
	begun  int64
	limit  int64 // its time is up
	client uint32
	key    uint32
	// first and second are the attempts that are under way: the second is one that
	// races the first.
	first, second int32
	errand        errand // of which server it is, if it is
	failer        int32  // the server at which the last first attempt failed
	failed        ending // how
	tries         uint8  // as the policy counts them
	sent          uint8  // with those that raced
	records       uint8  // of its attempts, and of events that are about it
	counts        bool   // in the result
	over          bool   // its client has done with it
	priority      ratelimit.Priority
	went          [mostSent]int32
}

func (c *call) tried(server int32) bool {
	return slices.Contains(c.went[:min(int(c.sent), len(c.went))], server)
}

// newCall finds room for a call.
func (w *world) newCall() uint32 {
	if n := len(w.spareCalls); n > 0 {
		number := w.spareCalls[n-1]
		w.spareCalls = w.spareCalls[:n-1]
		return number
	}
	w.calls = append(w.calls, call{})
	return uint32(len(w.calls) - 1)
}

// begin lets a client make a call.
func (w *world) begin(client uint32) {
	number := w.newCall()
	c := &w.calls[number]
	*c = call{client: client, begun: w.now, limit: forever, work: w.plan.Work.draw(w.works), errand: noErrand, counts: w.now >= w.counted, priority: w.priority()}
	if w.plan.Timeout > 0 {
		c.limit = w.now + int64(w.plan.Timeout)
	}
	w.result.Played++
	w.moment().Began++
	if c.counts {
		w.result.Calls++
		w.result.Ranks[c.priority.Index()].Calls++
	}
	w.start(number)
}

// start makes the first attempt of a call.
func (w *world) start(number uint32) {
	c := &w.calls[number]
	c.first, c.second = none, none
	if w.keyed {
		c.key = uint32(w.picks.Uint64N(uint64(len(w.keys))))
	}
	w.outstanding++
	if !w.admits(c) {
		w.tally(c).Withheld++
		w.end(number, withheld)
		return
	}
	w.clients[c.client].budgetOf(c).Deposit(time.Duration(w.now), 0)
	w.try(number)
}

// try makes the next attempt of a call.
func (w *world) try(number uint32) {
	sent := w.send(number)
	c := &w.calls[number]
	if sent == full {
		w.tally(c).Withheld++
	}
	switch {
	case sent == full && c.sent == 0:
		w.end(number, withheld)
		return
	case sent == none && c.sent == 0:
		w.end(number, inVain)
		return
	case sent < 0:
		w.end(number, c.failed.end())
		return
	}
	c.first = sent
	c.tries++
	w.race(c)
}

// again decides what follows once all attempts of a call that are under way have
// failed.
func (w *world) again(number uint32) {
	c := &w.calls[number]
	if c.failed != outOfTime && !w.clients[c.client].crowded(c.priority) {
		_, how := c.failed.result()
		ended := retry.Ended{How: how, Code: c.failed.code(), Idempotent: w.plan.Idempotent}
		if ended.Code != 0 {
			ended.RetryAfter = w.servers[c.failer].asksFor(c.failed, &w.plan)
		}
		wait, more, err := w.plan.Retry.Next(w.clients[c.client].budgetOf(c), time.Duration(w.now), ended, int(c.tries), w.fates.Uint64())
		if err != nil {
			w.tally(c).Unpaid++
		}
		if more && w.now+int64(wait) < c.limit {
			w.tally(c).Retries++
			c.records++
			w.queue.push(event{at: w.now + int64(wait), who: number, kind: again})
			return
		}
	}
	w.end(number, c.failed.end())
}

// end is when a client has done with a call.
func (w *world) end(number uint32, how end) {
	c := &w.calls[number]
	c.over = true
	w.outstanding--
	if c.errand.of != none {
		w.bring(c.errand, how == well)
	} else {
		w.ended(c, how)
		if closed := w.plan.Traffic.Closed; closed.Callers > 0 && w.now < w.over {
			think := later(w.now, w.arrivals.ExpFloat64()*float64(closed.Think))
			w.queue.push(event{at: max(think, w.now+1), who: c.client, kind: begins})
		}
	}
	w.forget(number)
}

// forget lets go of a call that nothing is about any more.
func (w *world) forget(number uint32) {
	if c := &w.calls[number]; c.over && c.records == 0 {
		w.spareCalls = append(w.spareCalls, number)
	}
}

// tally is where what happens to a call is counted.
func (w *world) tally(c *call) *Tally {
	if !c.counts {
		return &w.uncounted
	}
	return &w.result.Hops[w.clients[c.client].hop]
}
