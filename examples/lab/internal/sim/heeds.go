package sim

import (
	"slices"

	"github.com/fairlead-go/fairlead/balancer"
)

// A server that heeds its callers learns that one has left as soon as a message can
// be there. It does not begin what nobody waits for, and stops what it has begun:
// its worker is free at once. So what will come of a call is not known when it
// arrives, and each has an event when work on it ends.

// work gives workers who are free something to do.
func (w *world) work(s *server) {
	for s.busy < len(s.free) && len(s.waiting) > 0 {
		number := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.busy++
		a := &w.attempts[number]
		a.begins = true
		w.tally(&w.calls[a.call]).Executions++
		takes := a.work * s.condition.Slow
		a.done = s.after(w.now, takes)
		s.worked += takes
		w.push(number, a.done, leaves)
	}
}

// leaves tells a server that heeds its callers that one has left.
func (w *world) leaves(number int32) {
	if a := &w.attempts[number]; w.plan.Heeds {
		w.push(number, w.now+w.delay(a), quits)
	}
}

// quit is when a server learns that a caller has left.
func (w *world) quit(number int32) {
	a := &w.attempts[number]
	if !a.inside {
		return
	}
	s := w.servers[a.server]
	w.out(number, balancer.Neutral)
	switch {
	case !a.owes: // it was not at work
	case a.begins:
		s.busy--
		w.tally(&w.calls[a.call]).Stopped++
		w.work(s)
	default:
		a.begins = true
		i := slices.Index(s.waiting, number)
		s.waiting = slices.Delete(s.waiting, i, i+1)
		w.tally(&w.calls[a.call]).Unbegun++
	}
}
