package etcd

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Registry is a [discovery.Registry] and a [discovery.Registrar] over etcd. It
// is safe for concurrent use. Nothing it does for a caller waits for etcd,
// unless the method says so.
type Registry struct {
	config     Config // normalized
	dial       dialer
	keys       keys
	layout     Layout // of the instances; nil: our own
	link       *link
	supervisor *supervisor
	closed     chan struct{} // closed when Close is done

	ctx     context.Context // of all goroutines but the supervisor's
	cancel  context.CancelFunc
	running sync.WaitGroup // the goroutines of ctx

	mu      sync.Mutex // guards all below
	closing bool
	linked  bool             // link.run was started
	feeds   map[string]*feed // by service; those that are watched
	// documents are those that are followed, rules and settings, by key.
	documents map[string]*documentFeed
	clients   map[string]*clientFeed // by service; those whose clients are watched
}

var (
	_ discovery.Registry  = (*Registry)(nil)
	_ discovery.Registrar = (*Registry)(nil)
)

// New returns a registry that connects to etcd when it is first used. It does
// not wait for etcd, which may be down. The error is a [*discovery.FieldError].
func New(config Config) (*Registry, error) {
	return open(config, dial)
}

func open(config Config, dial dialer) (*Registry, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.normalize()
	k := keys{prefix: config.Prefix}
	ctx, cancel := context.WithCancel(context.Background())
	return &Registry{
		config:     config,
		dial:       dial,
		keys:       k,
		link:       newLink(newConn(config, dial), k.epoch(), config.Logger),
		supervisor: newSupervisor(newConn(config, dial), k, config.TTL, config.Caller, config.Logger),
		closed:     make(chan struct{}),
		ctx:        ctx,
		cancel:     cancel,
		feeds:      map[string]*feed{},
		documents:  map[string]*documentFeed{},
		clients:    map[string]*clientFeed{},
	}, nil
}

// Watch implements [discovery.Registry]. All watches of a service share one
// watch of etcd, which begins with the first of them and ends with the last.
func (r *Registry) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		if err := discovery.ValidateService(service); err != nil {
			yield(discovery.Snapshot{Service: service}, err)
			return
		}
		f := r.join(service)
		if f == nil {
			yield(discovery.Snapshot{Service: service}, discovery.ErrClosed)
			return
		}
		defer r.leave(f)

		for version := uint64(0); ctx.Err() == nil; {
			latest := f.latest()
			switch {
			case latest.version != version:
				version = latest.version
				if !yield(latest.snapshot, latest.err) {
					return
				}
			case latest.last:
				return
			default:
				select {
				case <-latest.outdated:
				case <-ctx.Done():
				}
			}
		}
	}
}

// Refresh makes the list of a watched service as fresh as can be: it returns
// when watchers have been given what etcd said over a connection that was made
// now, or a few seconds ago at most, or when ctx is done. It is for a process
// that slept and cannot know how long ago the last news was: that etcd answers
// is no proof then, since what it said before may still be on the way.
func (r *Registry) Refresh(ctx context.Context, service string) error {
	now := time.Now()
	r.mu.Lock()
	f, closing := r.feeds[service], r.closing
	r.mu.Unlock()
	switch {
	case closing:
		return discovery.ErrClosed
	case f == nil:
		return nil // whoever watches it gets a new list
	}
	r.link.renew(now)
	for {
		latest := f.latest()
		if latest.snapshot.State == discovery.Live && age(latest.proved, now) <= recent {
			return nil
		}
		if latest.last {
			return discovery.ErrClosed
		}
		select {
		case <-latest.outdated:
		case <-ctx.Done():
			return fmt.Errorf("discovery/etcd: instances of %s not refreshed: %w", service, ctx.Err())
		}
	}
}

// join returns the feed of service with one reader more, or nil after Close.
func (r *Registry) join(service string) *feed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return nil
	}
	f := r.feeds[service]
	if f == nil {
		f = r.startLocked(service)
		r.feeds[service] = f
	}
	f.readers++
	return f
}

func (r *Registry) startLocked(service string) *feed {
	r.linkLocked()
	f := newFeed(r.keys, service, r.config.MaxInstances, r.config.Logger, r.link.lastHeard)
	if r.layout != nil {
		f.instances.prefix, f.instances.decoder = r.layout.Prefix(service), foreign(r.layout)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	f.stop = cancel
	f.records = &listWatch{keys: below(f.instances.prefix), link: r.link, sink: f}
	words := &listWatch{keys: below(r.keys.overrides(service)), link: r.link, sink: overrideSink{f}}
	for _, w := range []*listWatch{f.records, words} {
		f.running.Go(func() { w.run(ctx) })
	}
	r.supervisor.calls(service, true)
	return f
}

// linkLocked begins to hold the connection that is read over.
func (r *Registry) linkLocked() {
	if !r.linked {
		r.linked = true
		r.running.Go(func() { r.link.run(r.ctx) })
	}
}

// leave takes one reader from f. The last one waits until the feed's
// goroutines have ended; that takes no longer than it takes to cancel a call.
func (r *Registry) leave(f *feed) {
	r.mu.Lock()
	f.readers--
	last := f.readers == 0 && r.feeds[f.service] == f
	if last {
		delete(r.feeds, f.service)
		r.supervisor.calls(f.service, false)
	}
	r.mu.Unlock()
	if last {
		f.end(nil)
	}
}

// Register implements [discovery.Registrar]. An ID that the service already
// has in this registry is refused with a [*discovery.FieldError].
func (r *Registry) Register(_ context.Context, instance discovery.Instance) (discovery.Registration, error) {
	instance = instance.Normalize(time.Now())
	if err := instance.Validate(); err != nil {
		return nil, err
	}
	reg, err := r.supervisor.add(instance)
	if err != nil {
		return nil, err
	}
	return reg, nil
}

// Close withdraws all registrations, ends all watches with
// [discovery.ErrClosed] and closes the connections. It waits for all of this,
// as far as etcd is concerned within ctx and some 10 s: the error then says
// what was left to etcd, which removes it when the TTL is over. Nothing
// announces it again. A second Close waits for the first and returns nil.
func (r *Registry) Close(ctx context.Context) error {
	r.mu.Lock()
	first := !r.closing
	r.closing = true
	r.mu.Unlock()
	if !first {
		select {
		case <-r.closed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(r.closed)
	err := r.supervisor.close(ctx)
	r.cancel()
	r.running.Wait()
	r.mu.Lock()
	feeds := slices.Collect(maps.Values(r.feeds))
	documents := slices.Collect(maps.Values(r.documents))
	clients := slices.Collect(maps.Values(r.clients))
	clear(r.feeds)
	clear(r.documents)
	clear(r.clients)
	r.mu.Unlock()
	for _, f := range feeds {
		f.end(discovery.ErrClosed)
	}
	for _, f := range documents {
		f.end(discovery.ErrClosed)
	}
	for _, f := range clients {
		f.end(discovery.ErrClosed)
	}
	return err
}
