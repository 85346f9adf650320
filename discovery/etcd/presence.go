package etcd

import (
	"encoding/json"
	"time"

	"github.com/fairlead-go/fairlead/rule"
)

// presence is what shows in etcd whom this process calls: a key for each
// service, under its lease. It is guarded by supervisor.mu.
type presence struct {
	caller  string             // in whose name; "": not known
	callees map[string]*callee // by service
	rules   map[string]rulesReport
	demands map[string]demand // by service: those that something was reported of
}

// callee is a service that is called, or was until lately.
type callee struct {
	watched bool
	since   time.Time
	holding *holding // nil: not shown
}

// linger is how long a service is shown after its last watch has ended. A
// watch that comes and goes, as with a gRPC channel that falls idle, is not
// worth two writes each time.
const linger = time.Minute

// together is the time over which those are spread that write for the same
// reason at the same moment.
const together = 5 * time.Second

// wanted reports whether others are to see that a service is called. A process
// without a name is of no interest to people, but it counts where a limit is
// divided.
func (p *presence) wanted(service string, c *callee) bool {
	return c.watched && p.caller != "" || p.demands[service] != nil
}

// calls takes note that a service is watched now, or no longer.
func (s *supervisor) calls(service string, watched bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calleeLocked(service)
	c.watched = watched
	s.presentLocked(service, c)
}

func (s *supervisor) calleeLocked(service string) *callee {
	c := s.presence.callees[service]
	if c == nil {
		c = &callee{since: time.Now()}
		s.presence.callees[service] = c
	}
	return c
}

// nameLocked says in whose name this process calls.
func (s *supervisor) nameLocked(caller string) {
	s.presence.caller = caller
	for service, c := range s.presence.callees {
		s.presentLocked(service, c)
		s.sayLocked(service, c, time.Now().Add(between(0, together)))
	}
}

// presentLocked shows that a service is called, or ends that.
func (s *supervisor) presentLocked(service string, c *callee) {
	if s.presence.wanted(service, c) {
		s.showLocked(service, c)
	} else {
		s.hideLocked(service, c)
	}
}

func (s *supervisor) showLocked(service string, c *callee) {
	if s.closed {
		return
	}
	if h := c.holding; h != nil && s.holdings[h.key] == h && !h.gone {
		if h.closing { // it lingered
			h.closing = false
			h.due = time.Time{}
			s.wakeUp()
		}
		return
	}
	value, err := s.presence.record(service, c)
	if err != nil { // the year is out of range; there is nothing to show then
		return
	}
	c.holding = s.newHolding(s.keys.client(service, s.incarnation), value)
	// A fleet that starts together does not write together.
	c.holding.due = time.Now().Add(between(0, together))
	s.holdLocked(c.holding)
}

func (s *supervisor) hideLocked(service string, c *callee) {
	switch {
	case c.holding == nil && !c.watched:
		delete(s.presence.callees, service)
	case c.holding != nil && !c.holding.closing:
		c.holding.closing, c.holding.due = true, time.Now().Add(linger)
		s.wakeUp()
	}
}

// forgetLocked drops the service that h showed. If it is to be shown again, since
// the key was being deleted, it is.
func (s *supervisor) forgetLocked(h *holding) {
	for service, c := range s.presence.callees {
		if c.holding == h {
			c.holding = nil
			s.presentLocked(service, c)
		}
	}
}

// record is the value of the key of a callee.
func (p *presence) record(service string, c *callee) (string, error) {
	r := clientRecord{
		Service: p.caller, Library: library(), Since: c.since.UTC().Truncate(time.Second), Edition: rule.Edition,
		Demand: p.demands[service],
	}
	if report, ok := p.rules[service]; ok {
		r.Rules = &report
	}
	value, err := json.Marshal(r)
	return string(value), err
}

// sayLocked has what is shown of a callee, if it is shown, say what is to be said
// now. It is written at a time, or with what is to be written before.
func (s *supervisor) sayLocked(service string, c *callee, at time.Time) {
	if c == nil || c.holding == nil || c.holding.gone {
		return // whoever begins to show it asks for the latest
	}
	value, err := s.presence.record(service, c)
	if err != nil || value == c.holding.value {
		return
	}
	h := c.holding
	waiting := !h.proved && h.due.After(time.Now()) // the put that is due takes this along
	h.value, h.proved = value, false
	if !h.closing && !waiting {
		h.due = at
		s.wakeUp()
	}
}
