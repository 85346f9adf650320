package sim

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// call is one call of a client with all its attempts.
type call struct {
	ticket balancer.Ticket
	work   float64 // nanoseconds
	begun  int64
	done   int64 // when its server is done with the attempt
	client uint32
	server int32 // of the attempt
	key    uint32
	gen    uint16
	tries  uint8
	events uint8 // that are about it
	ending ending
	counts bool // in the result
	live   bool // it waits for an answer
	inside bool // its server has it
	went   [retry.MostAttempts]int32
}

func (c *call) tried(server int32) bool {
	return slices.Contains(c.went[:min(int(c.tries), len(c.went))], server)
}

// begin lets a client make a call.
func (w *world) begin(client uint32) {
	var number uint32
	if n := len(w.spare); n > 0 {
		number, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		number = uint32(len(w.calls))
		w.calls = append(w.calls, call{})
		if w.reports {
			w.said = append(w.said, report{})
		}
	}
	c := &w.calls[number]
	*c = call{gen: c.gen, client: client, begun: w.now, work: w.plan.Work.draw(w.works), counts: w.now >= w.counted}
	if w.keyed {
		c.key = uint32(w.picks.Uint64N(uint64(len(w.keys))))
	}
	w.result.Played++
	if c.counts {
		w.result.Calls++
	}
	w.clients[client].budget.Deposit(time.Duration(w.now), 0)
	w.outstanding++
	w.attempt(number)
}

// attempt sends a call to an instance.
func (w *world) attempt(number uint32) {
	c := &w.calls[number]
	server, node := w.pick(c)
	if server < 0 {
		w.end(number, false)
		return
	}
	if int(c.tries) < len(c.went) {
		c.went[c.tries] = server
	}
	c.tries++
	c.server = server
	c.ticket = balancer.Ticket{}
	if node != nil {
		c.ticket = node.Start(time.Duration(w.now))
	}
	w.result.note(w.now, w.servers[server].class)
	if c.counts {
		w.result.Attempts++
		w.servers[server].attempts++
	}
	c.live = true
	if arrival := w.now + w.delay(c); w.detailed {
		w.push(number, arrival, arrives)
	} else {
		w.arrive(number, arrival)
	}
}

// arrive is when a call is at its server: what comes of it is settled then.
func (w *world) arrive(number uint32, at int64) {
	c := &w.calls[number]
	s := w.servers[c.server]
	how := &s.condition
	c.ending, c.done = served, at+quick
	fate := 1.0
	if how.Fails+how.Loses+how.Stalls > 0 {
		fate = w.fates.Float64()
	}
	switch {
	case how.Down || s.stage == absent:
		c.ending, c.done = refused, at
	case how.Hangs:
		c.ending, c.done = unanswered, forever
	case fate < how.Fails:
		c.ending = failed
	case fate < how.Fails+how.Loses:
		c.ending = broken
	case w.plan.Fleet[s.class].Limit > 0 && s.calls >= w.plan.Fleet[s.class].Limit:
		c.ending = failed
	default:
		work := c.work
		if 1-fate < how.Stalls {
			work *= how.StallsBy
		}
		c.done = s.serve(at, work)
	}
	if w.detailed && c.ending != refused {
		s.count(1, at)
		c.inside = true
		if w.reports {
			w.said[number] = report{served: s.reporter.Start(time.Duration(at))}
		}
		if c.done < forever {
			w.push(number, c.done, leaves)
		}
	}
	w.reply(number, at, c.done)
}

// reply sends the answer to a call, unless its time is up before that. It is
// known at a moment when its server will be done.
func (w *world) reply(number uint32, at, done int64) {
	c := &w.calls[number]
	reply := forever
	if done < forever {
		reply = done + w.delay(c)
	}
	if w.plan.Timeout > 0 {
		if limit := c.begun + int64(w.plan.Timeout); reply > limit {
			reply = max(at, limit)
			c.ending = outOfTime
		}
	}
	w.push(number, reply, answered)
}

// leave is when a server is done with a call.
func (w *world) leave(number uint32) {
	c := &w.calls[number]
	s := w.servers[c.server]
	if c.inside = false; w.reports {
		r := &w.said[number]
		r.load = r.served.Load(time.Duration(w.now))
		r.said = true
		result := balancer.Success
		if c.ending == failed || c.ending == broken {
			result = balancer.Failure
		}
		r.served.Done(time.Duration(w.now), result)
	}
	s.count(-1, w.now)
	w.release(number)
}

// answer is when a client has the answer to an attempt, or knows that there will
// be none.
func (w *world) answer(number uint32) {
	c := &w.calls[number]
	c.live = false
	result, how := c.ending.result()
	if n := c.ticket.Node(); n != nil {
		if w.reports && w.said[number].said && c.ending <= failed {
			n.Report(time.Duration(w.now), w.said[number].load)
		}
		c.ticket.Done(time.Duration(w.now), result)
		if result != balancer.Success || len(w.clients[c.client].pool.View().Outages) > 0 {
			w.suspect(c.client)
		}
	}
	if c.ending == served {
		w.end(number, true)
		return
	}
	if c.ending != outOfTime {
		ended := retry.Ended{How: how, Idempotent: w.plan.Idempotent}
		wait, more, _ := w.plan.Retry.Next(w.clients[c.client].budget, time.Duration(w.now), ended, int(c.tries), w.fates.Uint64())
		if limit := c.begun + int64(w.plan.Timeout); more && (w.plan.Timeout == 0 || w.now+int64(wait) < limit) {
			w.push(number, w.now+int64(wait), again)
			return
		}
	}
	w.end(number, false)
}

// end is when a client has done with a call.
func (w *world) end(number uint32, well bool) {
	c := &w.calls[number]
	w.outstanding--
	if c.counts && well {
		w.result.Latency.add(time.Duration(w.now - c.begun))
	}
	if closed := w.plan.Traffic.Closed; closed.Callers > 0 && w.now < w.over {
		think := later(w.now, w.arrivals.ExpFloat64()*float64(closed.Think))
		w.queue.push(event{at: max(think, w.now+1), who: c.client, kind: begins})
	}
	w.release(number)
}

// release lets go of a call that nothing is about any more.
func (w *world) release(number uint32) {
	if c := &w.calls[number]; c.events == 0 && !c.live {
		c.gen++
		w.spare = append(w.spare, number)
	}
}

func (w *world) push(number uint32, at int64, k kind) {
	c := &w.calls[number]
	c.events++
	w.queue.push(event{at: at, who: number, gen: c.gen, kind: k})
}
