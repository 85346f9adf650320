package transport

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// quotas are the parts that this process has of the limits which all clients of a
// service share. They are divided by what the clients show each other, and no call
// asks anybody. Two goroutines of the mesh, which there are while there is such a
// limit, follow who the clients are and show them what this one wants.
type quotas struct {
	service *service

	mu      sync.Mutex // guards all below
	all     map[string]*quota
	stop    context.CancelFunc // ends the goroutines; nil: there are none
	shownAt time.Duration      // when the demand was shown last; 0: never
	kept    int                // how many clients there were, by the disk; 0: not known
	saved   int                // how many are known to it now
	roster  roster
	trouble error // why the registry cannot be heard
}

// showInterval is the least time between two demands that are shown, all limits of a
// service together.
const showInterval = 5 * time.Second

// quota is this process's part of one limit.
type quota struct {
	*ratelimit.Quota
	config ratelimit.RateConfig // of all
	shown  float64              // what it showed of its demand last
	isSaid bool                 // it showed something
}

func newQuotas(s *service) *quotas { return &quotas{service: s, all: map[string]*quota{}} }

// clientWatcher is what tells who calls a service, the registry or else a source of
// rules, as where instances come from several registries; nil: nobody does.
func (m *Mesh) clientWatcher() discovery.ClientWatcher {
	if w, ok := m.registry.(discovery.ClientWatcher); ok {
		return w
	}
	for _, source := range m.options.rules {
		if w, ok := source.(discovery.ClientWatcher); ok {
			return w
		}
	}
	return nil
}

// renewLocked makes these the limits that are shared, by name. What a limit of the
// same name knows stays. It is called under service.mu, and waits for nothing.
func (q *quotas) renewLocked(shared map[string]ratelimit.RateConfig) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for name := range q.all {
		if _, still := shared[name]; !still {
			delete(q.all, name)
		}
	}
	now := balancer.Now()
	for name, c := range shared {
		q.setLocked(name, c, now)
	}
	switch watcher := q.service.mesh.clientWatcher(); {
	case watcher == nil:
	case len(q.all) > 0 && q.stop == nil:
		q.beginLocked(watcher)
	case len(q.all) == 0 && q.stop != nil:
		q.endLocked()
	}
}

func (q *quotas) setLocked(name string, c ratelimit.RateConfig, now time.Duration) {
	one := q.all[name]
	var err error
	switch {
	case one == nil:
		one = &quota{}
		one.Quota, err = ratelimit.NewQuota(c)
	case one.config == c:
		return
	default:
		err = one.Set(c)
	}
	if err != nil { // cannot be: it was validated
		q.service.mesh.logger.Error("fairlead: shared limit cannot be applied", "service", q.service.name, "limit", name, "error", err)
		return
	}
	one.config = c
	q.all[name] = one
	q.divideLocked(name, one, now)
}

// divideLocked makes the part of a limit what it is to be by what is known.
func (q *quotas) divideLocked(name string, one *quota, now time.Duration) {
	if q.roster.state == discovery.Cold {
		one.Alone(q.kept)
		return
	}
	mine, demands := q.roster.demands(name)
	one.Clients(now, mine, demands)
}

func (q *quotas) divideAllLocked(now time.Duration) {
	for name, one := range q.all {
		q.divideLocked(name, one, now)
	}
}

// beginLocked shows this process to the others and begins to follow them.
func (q *quotas) beginLocked(watcher discovery.ClientWatcher) {
	m := q.service.mesh
	ctx, cancel := context.WithCancel(m.ctx)
	q.stop = cancel
	q.roster = roster{} // what was known is too old
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
			one.shown, one.isSaid, news = demand, true, true
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
		if one.isSaid {
			demand[name] = one.shown
		}
	}
	r.ReportDemand(q.service.name, demand)
}

// bucket returns what calls under a shared limit go through, nil if there is none
// of that name.
func (q *quotas) bucket(name string) *ratelimit.Bucket {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one := q.all[name]; one != nil {
		return one.Bucket()
	}
	return nil
}

// unheeded says that limits are not shared although they should be.
func (q *quotas) unheeded() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.all) == 0 || q.service.mesh.clientWatcher() != nil {
		return nil
	}
	return []string{"limits: shared: the registry does not show who calls, so that each process takes the whole number"}
}
