package transport

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
)

// method is what is kept of the calls of one method on one route, where anybody
// wants to know: how long they take, at least and at large.
type method struct {
	least     *retry.Least
	latencies *retry.Latencies   // nil: no second attempts
	hedge     *retry.Hedge       // likewise
	asked     *retry.HedgeConfig // what it goes by
}

// methodKey tells methods apart. Over HTTP a method says little, and the route
// more.
type methodKey struct {
	routeKey
	method string
}

// routeKey tells routes apart. That of calls on none is the zero value.
type routeKey struct {
	name string
	nth  int // its place, counted from 1, where others have its name; 0: none has
}

func (k routeKey) String() string {
	if k.nth == 0 {
		return k.name
	}
	return strings.TrimSpace(k.name + " #" + strconv.Itoa(k.nth))
}

func (k methodKey) String() string {
	if k.routeKey == (routeKey{}) {
		return k.method
	}
	return k.method + " on " + k.routeKey.String()
}

func (c *Call) methodKey() methodKey { return methodKey{c.plan.of, c.Method} }

// mostMethods bounds what is kept of a service. Of those that come beyond nothing
// is known.
const mostMethods = 1000

// methods are those of a service that were called.
type methods struct {
	known atomic.Pointer[map[methodKey]*method] // copied on write
	mu    sync.Mutex                            // guards writing known, and what follows
	plans map[routeKey]*plan                    // those in force
}

// of returns what is kept of a call's method, nil if there is no room.
func (s *methods) of(call *Call) *method {
	key, known := call.methodKey(), s.all()
	if m := known[key]; m != nil {
		return m
	}
	if len(known) >= mostMethods {
		call.service.crowded()
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known = s.all()
	if m := known[key]; m != nil || len(known) >= mostMethods {
		return m
	}
	plan := s.plans[key.routeKey] // the call's may be older
	if plan == nil {
		return nil
	}
	next := make(map[methodKey]*method, len(known)+1)
	maps.Copy(next, known)
	next[key] = newMethod(plan.hedge, nil)
	s.known.Store(&next)
	return next[key]
}

func (s *methods) all() map[methodKey]*method {
	if known := s.known.Load(); known != nil {
		return *known
	}
	return nil
}

// crowded counts a call of a method that comes beyond mostMethods, and tells at most
// every ten seconds.
func (s *service) crowded() {
	s.counts.one(&s.counts.unknown)
	if due(&s.crowdedTold, balancer.Now()) {
		s.mesh.logger.Warn("fairlead: too many methods are called, further ones have no breaker, no second attempts and no least time",
			"service", s.name, "kept", mostMethods)
	}
}

// newMethod returns what is kept of a method, in the place of what was before.
func newMethod(asked *retry.HedgeConfig, before *method) *method {
	m := &method{least: new(retry.Least), asked: asked}
	if before != nil {
		m.least = before.least
		if asked != nil && before.asked != nil && *asked == *before.asked {
			m.hedge, m.latencies = before.hedge, before.latencies
			return m
		}
	}
	if asked != nil {
		m.hedge, _ = retry.NewHedge(*asked) // validated
		m.latencies = new(retry.Latencies)
	}
	return m
}

// renew takes over what is known of methods under new plans. Of a route that is no
// more nothing is kept.
func (s *methods) renew(p plans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans = make(map[routeKey]*plan, len(p))
	for n := range p {
		s.plans[p[n].of] = &p[n]
	}
	next := map[methodKey]*method{}
	for key, m := range s.all() {
		if plan := s.plans[key.routeKey]; plan != nil {
			next[key] = newMethod(plan.hedge, m)
		}
	}
	s.known.Store(&next)
}
