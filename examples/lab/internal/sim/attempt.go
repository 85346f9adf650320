package sim

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// attempt is one message to a server, and what becomes of it.
type attempt struct {
	ticket balancer.Ticket
	begun  int64
	done   int64   // when its server is done with it
	due    int64   // when its client has the answer, or knows that there will be none
	work   float64 // of a server that heeds its callers: what it will do
	call   uint32
	server int32
	gen    uint16
	events uint8 // that are about it
	ending ending
	second bool // it races another
	owes   bool // its server has the answer only when it is done
	live   bool // its client waits
	inside bool // its server works on it, or has it wait
	away   bool // its server waits for the next hop
	// entered says that its server has to let it out again.
	entered bool
	begins  bool // what its server makes of it is counted
}

// newAttempt finds room for an attempt.
func (w *world) newAttempt() int32 {
	if n := len(w.spareAttempts); n > 0 {
		number := w.spareAttempts[n-1]
		w.spareAttempts = w.spareAttempts[:n-1]
		return number
	}
	w.attempts = append(w.attempts, attempt{})
	if w.reports {
		w.said = append(w.said, report{})
	}
	return int32(len(w.attempts) - 1)
}

// send sends a call to an instance and returns the attempt, none if there is
// nobody to send it to.
func (w *world) send(call uint32) int32 {
	c := &w.calls[call]
	server, node := w.pick(c)
	if server < 0 {
		return server
	}
	if int(c.sent) < len(c.went) {
		c.went[c.sent] = server
	}
	c.sent++
	c.records++
	number := w.newAttempt()
	a := &w.attempts[number]
	*a = attempt{gen: a.gen, call: call, server: server, begun: w.now, live: true}
	if w.reports {
		w.said[number] = report{}
	}
	if node != nil {
		a.ticket = node.Start(time.Duration(w.now))
	}
	w.note(w.servers[server].class)
	w.tally(c).Attempts++
	if c.counts {
		w.servers[server].attempts++
	}
	if arrival := w.now + w.delay(a); w.detailed {
		w.push(number, arrival, arrives)
	} else {
		w.arrive(number, arrival)
	}
	return number
}

// arrive is when an attempt is at its server: what comes of it is settled then,
// unless the server has to wait for others, or for its callers.
func (w *world) arrive(number int32, at int64) {
	a := &w.attempts[number]
	c := &w.calls[a.call]
	s := w.servers[a.server]
	how := &s.condition
	ending := served
	a.done = at + quick
	fate := 1.0
	if how.Fails+how.Loses+how.Stalls > 0 {
		fate = w.fates.Float64()
	}
	limit := w.plan.Fleet[s.class].Limit
	switch {
	case how.Down || s.stage == absent:
		ending, a.done = refused, at
	case how.Hangs:
		ending, a.done = unanswered, forever
	case fate < how.Fails:
		ending = failed
	case fate < how.Fails+how.Loses:
		ending = broken
	case limit > 0 && s.calls >= limit:
		ending = overloaded
	case s.refuses() && !w.enter(a):
		ending = overloaded
	default:
		a.work = c.work
		if 1-fate < how.Stalls {
			a.work *= how.StallsBy
		}
		if a.owes = w.plan.Heeds || s.caller != none; w.plan.Heeds {
			a.done = forever
		} else {
			a.done = s.serve(at, a.work)
		}
	}
	waits := w.plan.Heeds && a.owes
	if !waits {
		a.begins = true
		w.tally(c).arrived(ending)
	}
	if w.detailed && ending != refused {
		s.count(1, at)
		a.inside = true
		if w.reports {
			w.said[number].served = s.reporter.Start(time.Duration(at))
		}
		if a.done < forever {
			w.push(number, a.done, leaves)
		}
	}
	if a.owes {
		w.reply(number, at, forever, ending)
	} else {
		w.reply(number, at, a.done, ending)
	}
	if waits {
		s.waiting = append(s.waiting, number)
		w.work(s)
	}
}

// reply sends the answer to an attempt, unless its time is up before that. It is
// known at a moment when its server will be done.
func (w *world) reply(number int32, at, done int64, how ending) {
	a := &w.attempts[number]
	limit, late := w.limit(a)
	reply := forever
	if done < forever {
		reply = done + w.delay(a)
	}
	if a.ending = how; reply > limit {
		reply = max(at, limit)
		a.ending = late
	}
	a.due = reply
	w.push(number, reply, answered)
}

// limit is when the time of an attempt is up, and of what that is the end.
func (w *world) limit(a *attempt) (int64, ending) {
	limit := w.calls[a.call].limit
	if own := w.plan.Retry.AttemptTimeout; own > 0 && a.begun+int64(own) < limit {
		return a.begun + int64(own), tooLate
	}
	return limit, outOfTime
}

// leave is when a server is done with an attempt.
func (w *world) leave(number int32) {
	a := &w.attempts[number]
	if !a.inside || a.done != w.now {
		return // it was given up
	}
	result := balancer.Success
	if a.ending == failed || a.ending == broken || a.ending == overloaded {
		result = balancer.Failure
	}
	w.out(number, result)
	w.exit(a)
	if s := w.servers[a.server]; w.plan.Heeds && a.owes {
		s.busy--
		w.work(s)
	}
	switch {
	case !a.owes:
	case w.servers[a.server].caller != none:
		w.errand(number)
	case a.live:
		w.reply(number, w.now, w.now, served)
	}
}

// out takes an attempt from its server.
func (w *world) out(number int32, result balancer.Result) {
	a := &w.attempts[number]
	s := w.servers[a.server]
	if a.inside = false; w.reports {
		r := &w.said[number]
		r.load = r.served.Load(time.Duration(w.now))
		r.said = true
		r.served.Done(time.Duration(w.now), result)
	}
	s.count(-1, w.now)
}

// answer is when a client has the answer to an attempt, or knows that there will
// be none.
func (w *world) answer(number int32) {
	a := &w.attempts[number]
	if !a.live || a.due != w.now {
		return // it has another, or needs none
	}
	a.live = false
	c := &w.calls[a.call]
	result, _ := a.ending.result()
	if a.ending == overloaded && w.servers[a.server].asksFor(overloaded, &w.plan) > 0 {
		result = balancer.Refused
	}
	if n := a.ticket.Node(); n != nil {
		if w.reports && w.said[number].said && a.ending.answered() {
			n.Report(time.Duration(w.now), w.said[number].load)
		}
		w.learn(a)
		a.ticket.Done(time.Duration(w.now), result)
		if result != balancer.Success || len(w.clients[c.client].pool.View().Outages) > 0 {
			w.suspect(c.client)
		}
	}
	if a.ending.late() {
		w.leaves(number)
	}
	w.settle(number)
}

// drop lets go of an attempt that nothing is about any more.
func (w *world) drop(number int32) {
	a := &w.attempts[number]
	if a.events > 0 || a.live {
		return
	}
	a.gen++
	w.spareAttempts = append(w.spareAttempts, number)
	w.calls[a.call].records--
	w.forget(a.call)
}

func (w *world) push(number int32, at int64, k kind) {
	a := &w.attempts[number]
	a.events++
	w.queue.push(event{at: at, who: uint32(number), gen: a.gen, kind: k})
}
