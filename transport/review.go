package transport

import (
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

// wall is the time on the wall of a moment of the balancer's clock.
func wall(at time.Duration) time.Time { return time.Now().Add(at - balancer.Now()) }
