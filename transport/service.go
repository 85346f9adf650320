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
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/interrupt"
	"github.com/fairlead-go/fairlead/retry"
)

// service is all that a mesh keeps of one service it calls.
type service struct {
	name   string
	mesh   *Mesh
	pool   *balancer.Pool
	budget *retry.Budget // of calls that are not sheddable
	bulk   *retry.Budget // of those that are
	counts counts
	// gateway is nil where calls never go to one.
	gateway *gateway
	// course is what calls go by: the pool's view, and the rules.
	course atomic.Pointer[course]
	// quotas are the parts of limits that all clients share.
	quotas *quotas
	// labels is the cached metric option of the service.
	labels   []metric.RecordOption
	outcomes [numberOfClasses][]metric.RecordOption // and of its attempts
	spans    []trace.SpanStartOption                // and of its calls

	// told is closed when there is a first list, be it from disk, or the
	// registry has said that it cannot be reached.
	told     chan struct{}
	tellOnce sync.Once
	// checker is nil where nobody is probed. Verdicts, which its goroutine has to
	// itself, bounds what it logs.
	checker  *balancer.Checker
	verdicts ration
	// outages bounds what is logged of them, restDue says that a timer will ask for
	// the rest. Both are guarded by mu.
	outages ration
	restDue bool
	// disk is nil where the list is not kept there.
	disk *onDisk
	// trouble is what the registry last complained of, nil while it is live.
	trouble atomic.Pointer[error]
	methods methods
	// allowance is what its budget is set to by rules; nil: as code has it.
	allowance atomic.Pointer[retry.BudgetConfig]
	// spentTold is when a spent budget was last logged, 0: never.
	spentTold atomic.Int64
	// fellBackTold is the same of a fallback, breakersTold bounds what is logged of
	// circuit breakers; mu guards it.
	fellBackTold atomic.Int64
	// crowdedTold is the same of methods of which nothing is kept.
	crowdedTold  atomic.Int64
	limitTold    atomic.Int64 // and of calls that limits refused
	pressed      pressed
	breakersTold ration
	// forbiddenTold is the same of a forbidden connection.
	forbiddenTold atomic.Int64
	// late is when a timeout was last noticed late, 0: never.
	late atomic.Int64
	// turn is closed and replaced with every new view, and when a call needs
	// instances that were not called before.
	turn  atomic.Pointer[chan struct{}]
	asked asked
	// connections are those that doors count.
	connections connections
	// waiting counts the calls that wait for an instance.
	waiting atomic.Int64
	// refreshes is the last thaw whose refresh has ended; refresh is the last
	// that began, guarded by Mesh.mu.
	refreshes atomic.Uint64
	refresh   *refresh

	mu sync.Mutex // held by whoever changes the pool; guards what follows
	// trusted is the last thaw after which the list caught up.
	trusted uint64
	// before is what became of instances held earlier, when those held now
	// began to be.
	before balancer.Preserved
	ruling ruling
}

func newService(name string, m *Mesh, pool *balancer.Pool, budget, bulk *retry.Budget) *service {
	s := &service{name: name, mesh: m, pool: pool, budget: budget, bulk: bulk, told: make(chan struct{})}
	s.counts.on.Store(m.options.level != Off)
	s.ruling.level = m.options.level
	s.quotas = newQuotas(s)
	s.gateway = m.options.newGateway(&s.counts)
	m.planLocked(s, nil)
	s.steerLocked() // nobody else has it yet
	s.labels = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(serviceKey.String(name)))}
	s.spans = []trace.SpanStartOption{trace.WithAttributes(serviceKey.String(name))}
	for class := range s.outcomes {
		s.outcomes[class] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
			serviceKey.String(name), outcomeKey.String(Class(class).String())))}
	}
	turn := make(chan struct{})
	s.turn.Store(&turn)
	return s
}

// follow is the watch loop of one service. It ends with the mesh.
func (m *Mesh) follow(s *service) {
	m.heed()
	m.restore(s)
	m.loops.Go(func() { m.review(s) })
	if m.hasRules() {
		m.loops.Go(func() { m.obey(s) })
	}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.pool.View()
	var trouble *error
	if err != nil {
		trouble = &err
	}
	last := s.trouble.Swap(trouble)
	m.distrustLocked(s, snapshot.State)
	view := before // a cold list says nothing and replaces none
	if snapshot.State != discovery.Cold {
		view = s.pool.Update(snapshot, balancer.Now())
		m.turnLocked(s, before, view)
	}
	m.gatewayLocked(s, s.ruling.table)
	s.tellOnce.Do(func() { close(s.told) })
	if err == nil || last == nil || (*last).Error() != err.Error() || before.Snapshot.State != view.Snapshot.State {
		m.logChange(s, before.Snapshot, view.Snapshot, err)
	}
}

// turnLocked tells of a new view.
func (m *Mesh) turnLocked(s *service, before, view *balancer.View) {
	s.steerLocked()
	s.tell()
	m.logPassed(s, before, view)
	m.holdLocked(s, before, view)
	m.logOutages(s, before, view)
	m.keep(s, view)
}

// tell wakes all who wait for something new. It may be called at any time.
func (s *service) tell() {
	next := make(chan struct{})
	close(*s.turn.Swap(&next))
}

// logChange writes one line per change of state, none per change of the list.
func (m *Mesh) logChange(s *service, before, now discovery.Snapshot, err error) {
	switch {
	case err != nil:
		m.logger.Warn("fairlead: list is not live", "service", s.name, "state", now.State.String(), "instances", len(now.Instances), "error", err)
	case before.State != now.State && now.State == discovery.Live:
		m.logger.Info("fairlead: list is live", "service", s.name, "instances", len(now.Instances), "revision", now.Revision)
	case len(now.Instances) == 0 && len(before.Instances) > 0 && s.pool.View().Held == 0:
		m.logger.Warn("fairlead: service has no instances left", "service", s.name)
	}
	if now.Refused > before.Refused {
		m.logger.Warn("fairlead: malformed records were skipped", "service", s.name, "refused", now.Refused, "examples", now.Refusals)
	}
	if now.Dropped > before.Dropped {
		m.logger.Warn("fairlead: bad metadata was left out", "service", s.name, "dropped", now.Dropped, "examples", now.Drops)
	}
}

// logPassed tells when more endpoints than before are passed over.
func (m *Mesh) logPassed(s *service, before, now *balancer.View) {
	if now.Ignored > before.Ignored {
		m.logger.Warn("fairlead: unix endpoints that are not allowed here were ignored", "service", s.name, "ignored", now.Ignored)
	}
	if now.Forbidden > before.Forbidden {
		m.logger.Warn("fairlead: endpoints are forbidden by the address policy", "service", s.name, "forbidden", now.Forbidden, "examples", now.Violations)
	}
}

// await waits for the first word of the registry, unless there is a list from
// disk. This and nothing else of a call ever waits for it. It comes only as
// long as the mesh is open.
func (s *service) await(ctx, mesh context.Context) error {
	select {
	case <-s.told:
		return nil
	case <-mesh.Done():
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("no list yet: %w", interrupt.Err(ctx))
	}
}

// nobody is the cause of a pick that found nothing to choose from.
func (s *service) nobody(call *Call) error {
	view, p := s.pool.View(), call.Protocol
	switch trouble := s.trouble.Load(); {
	case view.Snapshot.State == discovery.Cold && trouble != nil:
		return fmt.Errorf("%w: no list was ever obtained: %w", balancer.ErrNoInstances, *trouble)
	case view.Snapshot.State == discovery.Cold:
		return fmt.Errorf("%w: no list was obtained yet", balancer.ErrNoInstances)
	case call.pin != "":
		return fmt.Errorf("%w: %w: %q is not among %d that can be reached for %s", balancer.ErrNoInstances, ErrPinning, call.pin, len(view.Nodes), p)
	case call.narrowed() && view.Picker(p) != nil:
		return fmt.Errorf("%w that the rules leave among %d, on route %q", balancer.ErrNoInstances, len(view.Nodes), call.route.Name)
	case view.Forbidden > 0:
		v := view.Violations[0]
		return fmt.Errorf("%w with an endpoint for %s among %d: %d are %w, such as %s at %s",
			balancer.ErrNoInstances, p, len(view.Nodes), view.Forbidden, discovery.ErrForbidden, v.Key, v.Reason)
	case len(view.Nodes) > 0:
		return fmt.Errorf("%w with an endpoint for %s among %d", balancer.ErrNoInstances, p, len(view.Nodes))
	default:
		return balancer.ErrNoInstances
	}
}
