package transport

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/interrupt"
)

// Refresher is a registry that can be asked to look again. The first call to a
// service after the process was frozen has it asked. A registry that lives in
// the process need not be one.
type Refresher interface {
	// Refresh makes sure that the list of service is none of before the process
	// stood still. When it returns nil, a watch that begins then begins with a
	// list that was true since, and watches that stand were given the same, or
	// are about to be given it or one with a later AsOf.
	//
	// The error says why the registry could not be asked within ctx; at once,
	// where it is known that it cannot be. After Close it is
	// [discovery.ErrClosed].
	Refresh(ctx context.Context, service string) error
}

// refreshWithin bounds a refresh, and with it how long calls wait for it.
const refreshWithin = time.Second

// refresh is what all calls to a service share after one thaw.
type refresh struct {
	thaws uint64
	over  <-chan struct{} // closed when it has ended, however that was
}

// refreshed waits until the list of s was refreshed after the last thaw, or
// could not be: the call then goes on with what there is. To leave it the time
// for that, it waits for half of its own at most.
func (m *Mesh) refreshed(ctx context.Context, s *service, thaws uint64) {
	if deadline, ok := ctx.Deadline(); ok {
		half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		ctx = half
	}
	select {
	case <-m.refresh(s, thaws).over:
	case <-ctx.Done():
	}
}

// refresh returns the refresh of s for this thaw, and begins it for the first
// call that asks. It runs in a goroutine of its own, owned by the mesh: it must
// neither hold up a call that has little time nor end with one.
func (m *Mesh) refresh(s *service, thaws uint64) *refresh {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.refresh != nil && s.refresh.thaws >= thaws {
		return s.refresh
	}
	ctx, cancel := context.WithTimeout(m.ctx, refreshWithin)
	r := &refresh{thaws, ctx.Done()}
	if m.closed {
		cancel()
		return r
	}
	s.refresh = r
	m.loops.Go(func() {
		defer cancel()
		err := m.ask(ctx, s)
		if err == nil {
			s.trust(thaws)
		} else if m.ctx.Err() == nil {
			s.counts.one(&s.counts.unrefreshed)
			m.logger.Warn("fairlead: list was not refreshed after a freeze and is used as it is", "service", s.name, "error", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if s.refresh == r { // no freeze since
			s.refreshes.Store(thaws)
		}
	})
	return r
}

// ask asks the registry for the list of s and waits until the watch loop has
// applied what it now says: that it was told is not enough to pick from it.
func (m *Mesh) ask(ctx context.Context, s *service) error {
	if err := m.registry.(Refresher).Refresh(ctx, s.name); err != nil {
		return err
	}
	var newest discovery.Snapshot
	for snapshot, err := range m.registry.Watch(ctx, s.name) {
		if err != nil {
			return err
		}
		newest = snapshot
		break
	}
	for {
		turn := *s.turn.Load() // before the view: a newer one closes it
		if ctx.Err() != nil {
			return fmt.Errorf("the list as of %s did not arrive: %w", newest.AsOf.Format(time.RFC3339Nano), interrupt.Err(ctx))
		}
		if reached(s.pool.View().Snapshot, newest) {
			return nil
		}
		select {
		case <-turn:
		case <-ctx.Done():
		}
	}
}

// reached reports whether s is the list wanted, or a later one.
func reached(s, wanted discovery.Snapshot) bool {
	return s.AsOf.After(wanted.AsOf) || s.AsOf.Equal(wanted.AsOf) && slices.Equal(s.Instances, wanted.Instances)
}

// distrustLocked keeps the pool from missing those who left during a freeze:
// from its end until the list has caught up, which is when it was refreshed or,
// if that failed, with the next live list.
func (m *Mesh) distrustLocked(s *service, state discovery.State) {
	if m.pulse == nil {
		return
	}
	thaws := m.pulse.thaws(momentOf(time.Now()))
	if s.trusted >= thaws {
		return
	}
	s.pool.Distrust()
	if state == discovery.Live && s.refreshes.Load() >= thaws {
		s.trusted = thaws
	}
}

// trust says that the list has caught up after a freeze.
func (s *service) trust(thaws uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusted = max(s.trusted, thaws)
}
