package transport

import (
	"context"
	"iter"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// Views yields the current view of a service as soon as there is one, and each
// newer one; a slow reader misses intermediate views, never the last. It ends
// with ctx, with the mesh, or when the loop is left. Doors and tools that keep
// something per instance follow it; calls do not need it. The error is that of
// a bad service name, or [ErrClosed].
func (m *Mesh) Views(ctx context.Context, service string) (iter.Seq[*balancer.View], error) {
	s, err := m.lookup(service)
	if err != nil {
		return nil, err
	}
	return func(yield func(*balancer.View) bool) {
		var last *balancer.View
		for {
			turn := *s.turn.Load() // before the view: a newer one closes it
			if view := s.pool.View(); view != last && view.Snapshot.State != discovery.Cold {
				if !yield(view) {
					return
				}
				last = view
			}
			select {
			case <-turn:
			case <-ctx.Done():
				return
			case <-m.ctx.Done():
				return
			}
		}
	}, nil
}
