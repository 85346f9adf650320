package transport

import "github.com/fairlead-go/fairlead/balancer"

// holdLocked tells when the first instance of a service is held and when none
// is any more.
func (m *Mesh) holdLocked(s *service, before, view *balancer.View) {
	switch {
	case before.Held == 0 && view.Held > 0:
		s.before = before.Preserved
		m.logger.Warn("fairlead: instances vanished without having drained and are held", "service", s.name,
			"held", view.Held, "listed", len(view.Snapshot.Instances), "until", wall(view.HeldUntil))
	case before.Held > 0 && view.Held == 0:
		m.logReleased(s, view)
	}
}

// logReleased says what became of the instances that were held.
func (m *Mesh) logReleased(s *service, view *balancer.View) {
	now := view.Preserved
	m.logger.Info("fairlead: no instance is held any more", "service", s.name, "held", now.Held-s.before.Held,
		"returned", now.Returned-s.before.Returned, "replaced", now.Replaced-s.before.Replaced,
		"gone", now.Gone-s.before.Gone, "expired", now.Expired-s.before.Expired, "instances", len(view.Nodes))
}
