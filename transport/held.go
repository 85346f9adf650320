package transport

import (
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// reviewInterval is how often held instances are looked at. A shorter one
// would let go a little sooner of those that do not answer, which calls avoid
// by themselves.
const reviewInterval = time.Second

// holdLocked tells when the first instance of a service is held and when none
// is any more, and sees to it that they are looked at between the two.
func (m *Mesh) holdLocked(s *service, before, view *balancer.View) {
	switch {
	case before.Held == 0 && view.Held > 0:
		s.before = before.Preserved
		m.logger.Warn("fairlead: instances vanished without having drained and are held", "service", s.name,
			"held", view.Held, "listed", len(view.Snapshot.Instances), "until", wall(view.HeldUntil))
	case before.Held > 0 && view.Held == 0:
		m.logReleased(s, view)
	}
	if view.Held > 0 && !s.reviewing {
		s.reviewing = true
		m.loops.Go(func() { m.review(s) })
	}
}

// review lets go of held instances while no list comes. It belongs to the
// mesh, is begun by whoever changes the pool, and ends with the last one held
// or with the mesh.
func (m *Mesh) review(s *service) {
	tick := time.NewTicker(reviewInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if m.reviewed(s) {
				return
			}
		case <-m.ctx.Done():
			return
		}
	}
}

// reviewed reports whether there is nothing left to review.
func (m *Mesh) reviewed(s *service) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.pool.View()
	view := s.pool.Review(balancer.Now())
	s.reviewing = view.Held > 0
	if view != before {
		m.turnLocked(s, before, view)
	}
	return !s.reviewing
}

// wall is the time on the wall of a moment of the balancer's clock.
func wall(at time.Duration) time.Time { return time.Now().Add(at - balancer.Now()) }

// logReleased says what became of the instances that were held.
func (m *Mesh) logReleased(s *service, view *balancer.View) {
	now := view.Preserved
	m.logger.Info("fairlead: no instance is held any more", "service", s.name, "held", now.Held-s.before.Held,
		"returned", now.Returned-s.before.Returned, "replaced", now.Replaced-s.before.Replaced,
		"gone", now.Gone-s.before.Gone, "expired", now.Expired-s.before.Expired, "instances", len(view.Nodes))
}
