package etcd

import (
	"context"
	"iter"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// Registry is a [discovery.Registry] and a [discovery.Registrar] over etcd. It
// is safe for concurrent use. Nothing it does for a caller waits for etcd,
// unless the method says so.
type Registry struct {
	config     Config // normalized
	keys       keys
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
}

var (
	_ discovery.Registry  = (*Registry)(nil)
	_ discovery.Registrar = (*Registry)(nil)
)

// New returns a registry that connects to etcd when it is first used. It does
// not wait for etcd, which may be down. The error is a [*discovery.FieldError].
func New(config Config) (*Registry, error) {
	return open(config, clientv3.New)
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
		keys:       k,
		link:       newLink(conn{config: config.Client, dial: dial}, k.epoch(), config.Logger),
		supervisor: startSupervisor(conn{config: config.Client, dial: dial}, k, config.TTL, config.Logger),
		closed:     make(chan struct{}),
		ctx:        ctx,
		cancel:     cancel,
		feeds:      map[string]*feed{},
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
			if r.ctx.Err() != nil {
				last := latest.snapshot
				if last.State == discovery.Live {
					last.State = discovery.Stale // nobody looks after it any more
				}
				yield(last, discovery.ErrClosed)
				return
			}
			if latest.version != version {
				version = latest.version
				if !yield(latest.snapshot, latest.err) {
					return
				}
				continue
			}
			select {
			case <-latest.outdated:
			case <-r.ctx.Done():
			case <-ctx.Done():
			}
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
	if !r.linked {
		r.linked = true
		r.running.Go(func() { r.link.run(r.ctx) })
	}
	f := newFeed(service, r.keys.service(service), r.config.Logger, r.link.lastHeard)
	ctx, cancel := context.WithCancel(r.ctx)
	f.stop = cancel
	w := &listWatch{prefix: r.keys.service(service), epoch: r.keys.epoch(), link: r.link, sink: f}
	r.running.Go(func() {
		defer close(f.stopped)
		w.run(ctx)
	})
	return f
}

// leave takes one reader from f. The last one waits until the feed's goroutine
// has ended; that takes no longer than it takes to cancel a call.
func (r *Registry) leave(f *feed) {
	r.mu.Lock()
	f.readers--
	last := f.readers == 0
	if last {
		delete(r.feeds, f.service)
	}
	r.mu.Unlock()
	if last {
		f.stop()
		<-f.stopped
	}
}

// Register implements [discovery.Registrar]. An ID that the service already
// has in this registry is refused with a [*discovery.FieldError].
func (r *Registry) Register(_ context.Context, instance discovery.Instance) (discovery.Registration, error) {
	instance = instance.Normalize(time.Now())
	if err := instance.Validate(); err != nil {
		return nil, err
	}
	value, err := encode(instance)
	if err != nil {
		return nil, err
	}
	reg, err := r.supervisor.add(instance, value)
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
	return err
}
