package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/callback"
	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/retry"
)

// Mesh is the governance of all calls of a process, or of a part of it. It is
// safe for concurrent use. Several in one process do not know of each other.
type Mesh struct {
	registry  discovery.Registry
	options   options
	logger    *slog.Logger
	meter     *meter
	keeper    *keeper                  // nil: no lists are kept on disk
	pulse     *pulse                   // nil: the registry is no Refresher
	settings  atomic.Pointer[switched] // never nil
	heeding   sync.Once                // the goroutine that follows them
	caller    atomic.Pointer[string]   // nil: not known
	mirrors   chan struct{}            // holds one for each copy on its way
	budget    *retry.Budget            // of all services together
	bulk      *retry.Budget            // of their sheddable calls; the same where several meshes share one
	sharing   sync.Mutex               // held to set it
	timers    deadline.Timers          // of calls and attempts that the rules give a time
	judging   *callback.Callback       // of options.judge
	callbacks callbacks
	observing *observing // nil: there is no observer

	// services is copied on write: a call finds its service with one load.
	services atomic.Pointer[map[string]*service]

	ctx    context.Context // ends with Close; the root of the watch loops
	cancel context.CancelFunc
	// loops are two per watched service (instances and rules), one per admission, two more where limits are shared, one more while it
	// has instances held, one more where they are probed, one for the settings, the keeper, the pulse, and
	// refreshes under way.
	loops sync.WaitGroup

	mu            sync.Mutex // guards services for writing and what follows
	closed        bool
	registrations map[*registration]struct{}
	admissions    []*Admission
}

// Opener opens a registry; etcd.Config is one.
type Opener interface {
	Open() (discovery.Registry, error)
}

// closer is what a registry may have to be closed by.
type closer interface {
	Close(context.Context) error
}

// Open opens a registry and returns a mesh that owns it: Close closes both.
func Open(opener Opener, opts ...Option) (*Mesh, error) {
	registry, err := opener.Open()
	if err != nil {
		return nil, err
	}
	m, err := New(registry, append(slices.Clip(opts), func(o *options) { o.ownsStore = true })...)
	if c, ok := registry.(closer); ok && err != nil {
		err = errors.Join(err, c.Close(context.Background()))
	}
	return m, err
}

// New returns a mesh over a registry, which stays the caller's to close. It
// waits for nothing: the watch of a service begins with the first call to it.
func New(registry discovery.Registry, opts ...Option) (*Mesh, error) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	o.locate()
	if err := errors.Join(o.retry.Validate(), o.budget.Validate(), o.pool.Reach.Validate(), o.pool.Protection.Validate(), o.pool.Balancing.Validate(),
		o.level.validate(), o.validateSnapshotDir(), o.validateCaller(), o.validateHealth(), o.validateAttempts()); err != nil {
		return nil, err
	}
	if registry == nil {
		return nil, &discovery.FieldError{Field: "registry", Value: nil, Allowed: "a discovery.Registry"}
	}
	o.pool.Reach = reachOver(o.pool.Reach, registry)
	m := &Mesh{
		registry:      registry,
		options:       o,
		logger:        cmp.Or(o.logger, slog.Default()),
		registrations: map[*registration]struct{}{},
		mirrors:       make(chan struct{}, mostMirrored),
	}
	m.settings.Store(&switched{})
	if o.caller != "" {
		m.caller.Store(&o.caller)
	}
	m.keeper = newKeeper(o.snapshotDir, m.logger)
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.services.Store(&map[string]*service{})
	if o.judge != nil {
		m.judging = m.Callback("judge")
	}
	if m.budget = o.shared; m.budget == nil {
		m.budget, _ = retry.NewBudget(o.budget) // validated
		m.bulk, _ = retry.NewBudget(o.budget)
	} else {
		m.bulk = o.shared
	}
	if o.observer != nil {
		m.observing = &observing{events: make(chan Event, mostEvents)}
		m.observing.callback = m.Callback("observer")
		go m.observe() // ends with the mesh
	}
	if _, ok := registry.(Refresher); ok {
		m.pulse = &pulse{logger: m.logger}
	}
	var err error
	if m.meter, err = newMeter(m, o); err != nil {
		m.cancel()
		return nil, err
	}
	return m, nil
}

// Close ends the mesh's watches, saves the lists that are to be kept on disk
// and not there yet, withdraws the instances registered through it and waits
// for all of that, at most until ctx is done; then it closes the registry if
// [Open] made it. Calls that come later fail with [ErrClosed]; those on
// their way are not disturbed. A second Close does nothing.
func (m *Mesh) Close(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	for _, s := range *m.services.Load() {
		s.bulk.Close()
		s.budget.Close() // which a shared one would keep
	}
	m.services.Store(&map[string]*service{}) // so that lookup finds none and begins none
	registrations := maps.Clone(m.registrations)
	m.mu.Unlock()

	m.cancel()
	ended := make(chan struct{})
	go func() { // ends with the loops
		m.loops.Wait()
		close(ended)
	}()
	var errs []error
	for r := range registrations {
		errs = append(errs, r.Close(ctx))
	}
	errs = append(errs, waitFor(ctx, ended), m.mirrorsEnded(ctx), m.meter.close())
	if c, ok := m.registry.(closer); ok && m.options.ownsStore {
		errs = append(errs, c.Close(ctx))
	}
	return errors.Join(errs...)
}

// waitFor waits for the watch loops, which a registry that ignores its context
// can hold up, and for the keeper, whom a disk can.
func waitFor(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-ended: // as well
		return nil
	default:
		return fmt.Errorf("fairlead: the registry's watches or the saving of lists have not ended: %w", context.Cause(ctx))
	}
}

// lookup returns the service, beginning its watch if this is its first use.
func (m *Mesh) lookup(name string) (*service, error) {
	if s, ok := (*m.services.Load())[name]; ok {
		return s, nil
	}
	return m.begin(name)
}

func (m *Mesh) begin(name string) (*service, error) {
	if err := discovery.ValidateService(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	services := *m.services.Load()
	if s, ok := services[name]; ok {
		return s, nil
	}
	pool, err := balancer.NewPool(m.options.pool)
	if err != nil {
		return nil, err
	}
	checker, err := m.options.health.checker()
	if err != nil {
		return nil, err
	}
	budget, err := m.budget.Child(m.options.budget)
	if err != nil {
		return nil, err
	}
	bulk, err := m.bulk.Child(m.options.budget)
	if err != nil {
		return nil, err
	}
	s := newService(name, m, pool, budget, bulk)
	s.disk = m.onDisk(name)
	s.checker = checker
	if m.pulse != nil {
		s.trusted = m.beatLocked()
		s.refreshes.Store(s.trusted)
	}
	services = maps.Clone(services)
	services[name] = s
	m.services.Store(&services)
	if m.settings.Load().settings.Concern(name) { // those that come later find it among the services
		s.mu.Lock()
		m.ruleLocked(s)
		s.mu.Unlock()
	}
	m.loops.Go(func() { m.follow(s) })
	if checker != nil {
		m.loops.Go(func() { m.check(s) })
	}
	return s, nil
}
