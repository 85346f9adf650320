package etcd

import "time"

// presence is what shows in etcd whom this process calls: a key for each
// service it watches, under its lease. It is guarded by supervisor.mu.
type presence struct {
	caller  string             // in whose name; "": not known, and nothing is shown
	callees map[string]*callee // by service
	rules   map[string]rulesReport
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

// calls takes note that a service is watched now, or no longer.
func (s *supervisor) calls(service string, watched bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.presence.callees[service]
	if c == nil {
		c = &callee{since: time.Now()}
		s.presence.callees[service] = c
	}
	c.watched = watched
	if watched {
		s.showLocked(service, c)
	} else {
		s.hideLocked(service, c)
	}
}

func (s *supervisor) showAllLocked() {
	for service, c := range s.presence.callees {
		s.showLocked(service, c)
	}
}

func (s *supervisor) showLocked(service string, c *callee) {
	if s.presence.caller == "" || s.closed || !c.watched {
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

// forget drops the service that h showed, unless it is watched again.
func (p *presence) forget(h *holding) {
	for service, c := range p.callees {
		if c.holding == h && !c.watched {
			delete(p.callees, service)
		}
	}
}

func (s *supervisor) hideLocked(service string, c *callee) {
	if c.holding == nil {
		delete(s.presence.callees, service)
		return
	}
	c.holding.closing, c.holding.due = true, time.Now().Add(linger)
	s.wakeUp()
}
