package transport

import (
	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// LimitsDump is what bounds the calls of a service, and what it did.
type LimitsDump struct {
	Pressure Pressure    `json:"pressure"`
	Limits   []LimitDump `json:"limits"`
}

// LimitDump is one limit.
type LimitDump struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // rate, concurrency, instance, throttle or deadline
	Per  string `json:"per,omitempty"`
	// Refused counts the calls that it refused, by the index of their priority:
	// sheddable, default, critical.
	Refused [ratelimit.NumberOfPriorities]int64 `json:"refused"`
	// Rate and Burst are those of each bucket, Keys how many keys have one. Evicted
	// counts the idle ones that were forgotten, Overflowed how often a key had to
	// share one for want of room.
	Rate       float64 `json:"rate,omitempty"`
	Burst      int     `json:"burst,omitempty"`
	Keys       int     `json:"keys,omitempty"`
	Evicted    int64   `json:"evicted,omitempty"`
	Overflowed int64   `json:"overflowed,omitempty"`
	// InFlight are the calls that a limit of concurrency counts, Waiting those that
	// wait for a place, Concurrency how many there may be, all together.
	InFlight    int `json:"inFlight,omitempty"`
	Waiting     int `json:"waiting,omitempty"`
	Concurrency int `json:"concurrency,omitempty"`
	// Throttled is the share of calls that are not sent right now, by the index of
	// their priority.
	Throttled []float64 `json:"throttled,omitempty"`

	keyed bool
}

func (r *refusals) dump() (d [ratelimit.NumberOfPriorities]int64) {
	for i := range r {
		d[i] = r[i].Load()
	}
	return d
}

// dump returns what the limits are and did, nil where there are none. The view is
// nil at a server.
func (l *limits) dump(view *balancer.View) *LimitsDump {
	if l == nil {
		return nil
	}
	d := &LimitsDump{Limits: []LimitDump{}}
	for _, r := range l.rates {
		d.Limits = append(d.Limits, r.dump())
	}
	for _, c := range l.concurrency {
		one := LimitDump{Name: c.is.Name, Kind: "concurrency", Per: c.is.Per.String(), Refused: c.refused.dump()}
		for each := range c.all() {
			if each == c.one && c.is.Per != rule.PerService && each.InFlight() == 0 {
				continue // of those for which there is no room
			}
			one.InFlight += each.InFlight()
			one.Waiting += each.Waiting()
			one.Concurrency += each.Limit()
		}
		d.Limits = append(d.Limits, one)
	}
	if i := l.instances; i != nil && view != nil {
		one := LimitDump{Name: i.is.Name, Kind: "instance", Per: rule.PerInstance.String(), Refused: i.refused.dump()}
		for _, n := range view.Nodes {
			one.InFlight += n.Outstanding()
			one.Concurrency += i.limit(n)
		}
		d.Limits = append(d.Limits, one)
	}
	if t := l.throttle; t != nil {
		shares := t.Rejecting()
		d.Limits = append(d.Limits, LimitDump{Name: "throttle", Kind: "throttle", Refused: t.refused.dump(), Throttled: shares[:]})
	}
	return d
}

func (l *rateLimit) dump() LimitDump {
	d := LimitDump{
		Name: l.is.Name, Kind: "rate", Per: l.is.Per.String(), Refused: l.refused.dump(),
		Rate: l.is.Config.Rate, Burst: l.is.Config.Burst,
	}
	if l.is.Per == rule.PerHeader {
		d.Per += ":" + l.is.Header.Lower
	}
	if l.keys != nil {
		d.keyed, d.Keys, d.Evicted, d.Overflowed = true, l.keys.Len(), l.keys.Evicted(), l.keys.Overflows()
	} else if l.is.Per == rule.PerMethod {
		d.keyed, d.Keys = true, len(l.buckets.methods.all())
	}
	return d
}

// dumpLimits returns those of the calls to a service.
func (s *service) dumpLimits() *LimitsDump {
	d := s.course.Load().plans.of(nil).limits.dump(s.pool.View())
	if d != nil {
		d.Pressure = s.mesh.Pressure(s.name)
	}
	return d
}

// AdmissionDump is what a server takes on, see [Admission].
type AdmissionDump struct {
	Service string `json:"service"`
	// Limits is nil where rules switched them off.
	Limits *LimitsDump `json:"limits,omitempty"`
	// Revision is that of the rules in force, 0: there are none. Refused says why
	// those of RefusedRevision are not.
	Revision        int64  `json:"revision"`
	Live            bool   `json:"live"`
	Trouble         string `json:"trouble,omitempty"`
	Refused         string `json:"refused,omitempty"`
	RefusedRevision int64  `json:"refusedRevision,omitempty"`
	Refusals        int64  `json:"refusals,omitempty"`
}

// Dump reads the state of the admission. It disturbs no call.
func (a *Admission) Dump() AdmissionDump {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := AdmissionDump{
		Service: a.service, Limits: a.limits.Load().dump(nil),
		Revision: a.standing.Revision, Live: a.standing.Live, RefusedRevision: a.standing.RefusedRevision, Refusals: a.refusals,
	}
	if d.Limits != nil {
		d.Limits.Limits = append(d.Limits.Limits, LimitDump{Name: "deadline", Kind: "deadline", Refused: a.hopeless.dump()})
		d.Limits.Pressure = a.Pressure()
	}
	if a.standing.Refused != nil {
		d.Refused = a.standing.Refused.Error()
	}
	if a.trouble != nil {
		d.Trouble = a.trouble.Error()
	}
	return d
}

// admitted returns the admissions of the mesh.
func (m *Mesh) admitted() (all []*Admission) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(all, m.admissions...)
}
