package transport

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// showInterval is the least time between two demands that are shown, all limits of a
// service together.
const showInterval = 5 * time.Second

// beginLocked shows this process to the others and begins to follow them.
func (q *quotas) beginLocked(watcher discovery.ClientWatcher) {
	m := q.service.mesh
	ctx, cancel := context.WithCancel(m.ctx)
	q.stop = cancel
	q.roster, q.trouble = roster{}, nil // what was known is too old
	q.reportLocked()
	m.loops.Go(func() { q.follow(ctx, watcher) })
	m.loops.Go(func() { q.publish(ctx) })
}

// endLocked ends what beginLocked began.
func (q *quotas) endLocked() {
	q.stop()
	q.stop = nil
	if r, ok := q.service.mesh.clientWatcher().(discovery.DemandReporter); ok {
		r.ReportDemand(q.service.name, nil)
	}
}

// follow keeps the roster. It ends with the last shared limit, or with the mesh.
func (q *quotas) follow(ctx context.Context, watcher discovery.ClientWatcher) {
	last := discovery.Clients{}
	for clients, err := range watcher.WatchClients(ctx, q.service.name) {
		last = clients
		q.hear(ctx, clients, err)
	}
	if ctx.Err() == nil { // the registry gave up, as it does once it is closed
		if last.State == discovery.Live {
			last.State = discovery.Stale
		}
		q.hear(ctx, last, errors.New("the registry ended the watch"))
	}
}

// hear takes in what the registry says of the clients.
func (q *quotas) hear(ctx context.Context, clients discovery.Clients, err error) {
	now, m := balancer.Now(), q.service.mesh
	q.mu.Lock()
	if ctx.Err() != nil {
		q.mu.Unlock()
		return
	}
	before, troubled := q.roster.state, q.trouble != nil
	q.trouble = err
	q.roster.update(clients, now)
	q.divideAllLocked(now)
	q.saveLocked()
	state, size, kept := q.roster.state, q.roster.size(), q.kept
	q.mu.Unlock()
	switch {
	case state == discovery.Live && before != discovery.Live:
		m.logger.Info("fairlead: shared limits are divided", "service", q.service.name, "clients", size)
	case state == discovery.Stale && before != discovery.Stale:
		m.logger.Warn("fairlead: shares of limits stay as they are", "service", q.service.name, "clients", size, "error", err)
	case state == discovery.Cold && err != nil && !troubled:
		m.logger.Warn("fairlead: shared limits are divided by what was last known", "service", q.service.name, "clients", kept+1, "error", err)
	}
}

// saveLocked has the number of clients kept on disk if it is another one.
func (q *quotas) saveLocked() {
	if size := q.roster.size(); q.roster.state == discovery.Live && size != q.saved {
		q.saved = size
		q.service.mesh.keeper.keepClients(q.service.name, size)
	}
}

// publish measures what this process wants, once a second, and shows it when there
// is something to show. It ends with the last shared limit, or with the mesh.
func (q *quotas) publish(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.look(ctx, balancer.Now())
		case <-ctx.Done():
			q.mu.Lock()
			defer q.mu.Unlock()
			if q.stop != nil && q.service.mesh.ctx.Err() != nil { // the registry may live on
				q.endLocked()
			}
			return
		}
	}
}

func (q *quotas) look(ctx context.Context, now time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	news := false
	for _, one := range q.all {
		one.Observe(now)
		if q.shownAt != 0 && now-q.shownAt < showInterval {
			continue // what was published would be late
		}
		if demand, due := one.Publish(now); due {
			one.shown, one.told, news = demand, true, true
		}
	}
	if news {
		q.shownAt = now
		q.reportLocked()
	}
	if q.roster.expire(now) {
		q.divideAllLocked(now)
		q.saveLocked()
	}
}

// reportLocked shows all that was to be shown so far.
func (q *quotas) reportLocked() {
	r, ok := q.service.mesh.clientWatcher().(discovery.DemandReporter)
	if !ok {
		return
	}
	demand := make(map[string]float64, len(q.all))
	for name, one := range q.all {
		if one.told {
			demand[name] = one.shown
		}
	}
	r.ReportDemand(q.service.name, demand)
}
