package etcd

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

var _ discovery.DemandReporter = (*Registry)(nil)

// demand is how many calls per second a client would make under each limit that
// it shares with others, by the limit's name.
type demand map[string]float64

const (
	mostDemands    = 32  // as many limits as a service may have
	mostDemandName = 128 // bytes
	mostDemand     = 1e9 // calls per second
)

// ReportDemand implements [discovery.DemandReporter]: it shows beside the fact
// that this process calls a service how much it wants to, and without a name, too,
// since every client counts where a number is divided. A change is written at
// once, and 5 s after the last one at the earliest; a client that was not shown
// before is within 5 s, at a random moment. nil hides a client without a name
// again, a minute later.
func (r *Registry) ReportDemand(service string, calls map[string]float64) {
	if discovery.ValidateService(service) == nil {
		r.supervisor.reportDemand(service, sound(calls))
	}
}

func (s *supervisor) reportDemand(service string, d demand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.presence.demands[service] = d
	if d == nil {
		delete(s.presence.demands, service)
	}
	c := s.calleeLocked(service)
	s.presentLocked(service, c)
	s.sayLocked(service, c, c.next(time.Now()))
}

// next is when a change may be written, so that one follows the other no sooner
// than 5 s later.
func (c *callee) next(now time.Time) time.Time {
	h := c.holding
	switch {
	case h == nil:
		return now
	case !h.proved: // it is being written just now
		return now.Add(together)
	case now.Sub(h.written) < together:
		return h.written.Add(together)
	}
	return now
}

// sound returns what of a demand can be believed, and written. Nobody gains by
// asking for much: a share is what is left by those who want less.
func sound(calls map[string]float64) demand {
	if calls == nil {
		return nil
	}
	d := make(demand, min(len(calls), mostDemands))
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		// Said so that a NaN is left out, too.
		if v := calls[name]; v >= 0 && v <= mostDemand && name != "" && len(name) <= mostDemandName && len(d) < mostDemands {
			d[name] = v
		}
	}
	return d
}

// UnmarshalJSON takes what is good of it: a client whose demand is not understood
// is a client all the same.
func (d *demand) UnmarshalJSON(text []byte) error {
	*d = nil
	var all map[string]any
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	calls := make(map[string]float64, len(all))
	for name, v := range all {
		if n, ok := v.(float64); ok {
			calls[name] = n
		}
	}
	if d2 := sound(calls); len(d2) > 0 {
		*d = d2
	}
	return nil
}
