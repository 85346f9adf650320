package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
)

// service is all that a mesh keeps of one service it calls.
type service struct {
	name   string
	pool   *balancer.Pool
	budget *retry.Budget
	counts counts
	// labels is the cached metric option of the service.
	labels []metric.RecordOption

	// told is closed when the registry has first said something, be it that
	// it cannot be reached.
	told     chan struct{}
	tellOnce sync.Once
	// trouble is what the registry last complained of, nil while it is live.
	trouble atomic.Pointer[error]
	// spentTold is when a spent budget was last logged, 0: never.
	spentTold atomic.Int64
	// turn is closed and replaced with every new view.
	turn atomic.Pointer[chan struct{}]
	// waiting counts the calls that wait for an instance.
	waiting atomic.Int64
	// refreshes is the last thaw whose refresh has ended; refresh is the last
	// that began, guarded by Mesh.mu.
	refreshes atomic.Uint64
	refresh   *refresh
}

func newService(name string, pool *balancer.Pool, budget *retry.Budget, m *meter) *service {
	s := &service{name: name, pool: pool, budget: budget, told: make(chan struct{})}
	s.counts.on = m.on
	s.labels = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(serviceKey.String(name)))}
	turn := make(chan struct{})
	s.turn.Store(&turn)
	return s
}

// follow is the watch loop of one service: the only goroutine that changes its
// pool. It ends with the mesh.
func (m *Mesh) follow(s *service) {
	for snapshot, err := range m.registry.Watch(m.ctx, s.name) {
		m.apply(s, snapshot, err)
	}
	if m.ctx.Err() == nil {
		// The registry gave up, as it does once it is closed. What is known
		// stays in use.
		err := errors.New("the registry ended the watch")
		if last := s.trouble.Load(); last != nil {
			err = fmt.Errorf("%w: %w", err, *last)
		}
		m.apply(s, stale(s.pool.View().Snapshot), err)
	}
}

func stale(s discovery.Snapshot) discovery.Snapshot {
	if s.State == discovery.Live {
		s.State, s.AsOf = discovery.Stale, time.Now()
	}
	return s
}

func (m *Mesh) apply(s *service, snapshot discovery.Snapshot, err error) {
	before := s.pool.View()
	var trouble *error
	if err != nil {
		trouble = &err
	}
	last := s.trouble.Swap(trouble)
	if snapshot.State != discovery.Cold {
		if view := s.pool.Update(snapshot, balancer.Now()); view.Ignored > before.Ignored {
			m.logger.Warn("fairlead: unix endpoints that are not allowed here were ignored", "service", s.name, "ignored", view.Ignored)
		}
		next := make(chan struct{})
		close(*s.turn.Swap(&next))
	}
	s.tellOnce.Do(func() { close(s.told) })
	if err == nil || last == nil || (*last).Error() != err.Error() || before.Snapshot.State != snapshot.State {
		m.logChange(s, before.Snapshot, snapshot, err)
	}
}

// logChange writes one line per change of state, none per change of the list.
func (m *Mesh) logChange(s *service, before, now discovery.Snapshot, err error) {
	switch {
	case err != nil:
		m.logger.Warn("fairlead: list is not live", "service", s.name, "state", now.State.String(), "instances", len(now.Instances), "error", err)
	case before.State != now.State:
		m.logger.Info("fairlead: list is live", "service", s.name, "instances", len(now.Instances), "revision", now.Revision)
	case len(now.Instances) == 0 && len(before.Instances) > 0:
		m.logger.Warn("fairlead: service has no instances left", "service", s.name)
	}
	if now.Refused > before.Refused {
		m.logger.Warn("fairlead: malformed records were skipped", "service", s.name, "refused", now.Refused, "examples", now.Refusals)
	}
}

// await waits for the first word of the registry. This and nothing else of a
// call ever waits for it. It comes only as long as the mesh is open.
func (s *service) await(ctx, mesh context.Context) error {
	select {
	case <-s.told:
		return nil
	case <-mesh.Done():
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("no list yet: %w", ended(ctx))
	}
}

// nobody is the cause of a pick that found nothing to choose from.
func (s *service) nobody(p discovery.Protocol) error {
	view := s.pool.View()
	switch trouble := s.trouble.Load(); {
	case view.Snapshot.State == discovery.Cold && trouble != nil:
		return fmt.Errorf("%w: no list was ever obtained: %w", balancer.ErrNoInstances, *trouble)
	case view.Snapshot.State == discovery.Cold:
		return fmt.Errorf("%w: no list was obtained yet", balancer.ErrNoInstances)
	case len(view.Nodes) > 0:
		return fmt.Errorf("%w with an endpoint for %s among %d", balancer.ErrNoInstances, p, len(view.Nodes))
	default:
		return balancer.ErrNoInstances
	}
}
