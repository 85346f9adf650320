package etcd

import (
	"context"
	"iter"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

var _ discovery.ClientWatcher = (*Registry)(nil)

// WatchClients implements [discovery.ClientWatcher]: it tells who shows itself
// under <prefix>clients/<service>/, at most every 100 ms. All who watch the
// clients of a service share one watch of etcd, which begins with the first of
// them and ends with the last.
func (r *Registry) WatchClients(ctx context.Context, service string) iter.Seq2[discovery.Clients, error] {
	return func(yield func(discovery.Clients, error) bool) {
		if err := discovery.ValidateService(service); err != nil {
			yield(discovery.Clients{Service: service}, err)
			return
		}
		f := r.joinClients(service)
		if f == nil {
			yield(discovery.Clients{Service: service}, discovery.ErrClosed)
			return
		}
		defer r.leaveClients(f)
		var told uint64
		var at time.Time
		for ctx.Err() == nil {
			clients, version, last, more, err := f.read(told)
			switch {
			case version != told:
				told, at = version, time.Now()
				if !yield(clients, err) {
					return
				}
			case last:
				return
			default:
				select {
				case <-more:
					sleep(ctx, coalesce-time.Since(at))
				case <-ctx.Done():
				}
			}
		}
	}
}

// joinClients returns the feed of a service's clients with one reader more, or
// nil after Close.
func (r *Registry) joinClients(service string) *clientFeed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return nil
	}
	f := r.clients[service]
	if f == nil {
		r.linkLocked()
		f = newClientFeed(r.keys, service, r.supervisor.incarnation, r.config.Logger, r.link.lastHeard)
		r.clients[service] = f
		ctx, cancel := context.WithCancel(r.ctx)
		f.stop = cancel
		f.records = &listWatch{keys: below(f.clients.prefix), link: r.link, sink: f}
		f.running.Go(func() { f.records.run(ctx) })
	}
	f.readers++
	return f
}

// leaveClients takes one reader away. The last one waits for the goroutine.
func (r *Registry) leaveClients(f *clientFeed) {
	r.mu.Lock()
	f.readers--
	last := f.readers == 0 && r.clients[f.service] == f
	if last {
		delete(r.clients, f.service)
	}
	r.mu.Unlock()
	if last {
		f.end(nil)
	}
}
