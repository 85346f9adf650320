package transport

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// logOutages tells who is passed over from now on, and who no more, in a few
// lines. What health checks find they tell themselves.
func (m *Mesh) logOutages(s *service, before, view *balancer.View) {
	same := func(a, b balancer.Outage) bool { return a.Node == b.Node }
	if slices.EqualFunc(before.Outages, view.Outages, same) {
		return
	}
	now := balancer.Now()
	m.logRestLocked(s, now)
	for _, o := range beyond(view.Outages, before.Outages) {
		if s.outages.allow(now) {
			m.logger.Warn("fairlead: instance is passed over", "service", s.name, "instance", o.Node.ID(),
				"reason", o.Reason.String(), "for", o.Until-o.Since, "times", o.Times)
		}
	}
	for _, o := range beyond(before.Outages, view.Outages) {
		if nodeOf(view.Nodes, o.Node.ID()) == o.Node && s.outages.allow(now) {
			m.logger.Info("fairlead: instance is back", "service", s.name, "instance", o.Node.ID(), "reason", o.Reason.String())
		}
	}
	if s.outages.untold > 0 && !s.restDue {
		s.restDue = true
		time.AfterFunc(rationTime, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.restDue = false
			if m.ctx.Err() == nil {
				m.logRestLocked(s, balancer.Now())
			}
		})
	}
}

// logRestLocked tells of how many nothing was said, once their time is up.
func (m *Mesh) logRestLocked(s *service, now time.Duration) {
	if untold := s.outages.rest(now); untold > 0 {
		m.logger.Warn("fairlead: more instances began or ceased to be passed over than were named", "service", s.name,
			"unnamed", untold, "passed over", len(s.pool.View().Outages))
	}
}

// beyond returns the outages of those who have none among others, save what
// health checks find.
func beyond(outages, others []balancer.Outage) (some []balancer.Outage) {
	known := make(map[*balancer.Node]struct{}, len(others))
	for _, o := range others {
		known[o.Node] = struct{}{}
	}
	for _, o := range outages {
		if _, ok := known[o.Node]; !ok && o.Reason != balancer.FailedHealthCheck {
			some = append(some, o)
		}
	}
	return some
}
