package transport

import (
	"context"
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

// quota is this process's part of one limit.
type quota struct {
	*ratelimit.Quota
	config ratelimit.RateConfig // of all
	shown  float64              // what it showed of its demand last
	told   bool                 // it showed something
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
