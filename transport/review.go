package transport

import (
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// review looks after the pool of a service: who is passed over and who is back,
// who is still held, whose weight grows. It is the mesh's and ends with it.
func (m *Mesh) review(s *service) {
	s.pool.Run(m.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		before, now := s.pool.View(), balancer.Now()
		if view := s.pool.Review(now); view != before {
			m.turnLocked(s, before, view)
		}
		s.course.Load().refresh(now)
	})
}

// refresh renews what the pickers of selections keep.
func (c *course) refresh(now time.Duration) {
	for _, s := range *c.selections.Load() {
		if s.choice != nil {
			s.choice.Refresh(now)
		}
	}
}

// logOutages tells who is passed over from now on, and who no more.
func (m *Mesh) logOutages(s *service, before, view *balancer.View) {
	if len(before.Outages)+len(view.Outages) == 0 {
		return
	}
	was := func(all []balancer.Outage, n *balancer.Node) bool {
		return slices.ContainsFunc(all, func(o balancer.Outage) bool { return o.Node == n })
	}
	for _, o := range view.Outages {
		if !was(before.Outages, o.Node) {
			m.logger.Warn("fairlead: instance is passed over", "service", s.name, "instance", o.Node.ID(),
				"reason", o.Reason.String(), "for", o.Until-o.Since, "times", o.Times)
		}
	}
	for _, o := range before.Outages {
		if !was(view.Outages, o.Node) && slices.Contains(view.Nodes, o.Node) {
			m.logger.Info("fairlead: instance is back", "service", s.name, "instance", o.Node.ID(), "reason", o.Reason.String())
		}
	}
}

// wall is the time on the wall of a moment of the balancer's clock.
func wall(at time.Duration) time.Time { return time.Now().Add(at - balancer.Now()) }
