package transport

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/rule"
)

// StageBreaker is that of a call whose service or method breaker is open.
const StageBreaker Stage = "breaker"

// WithBreaker gives each instance, method or service, as the scope says, a circuit
// breaker. The default is none. Rules may say otherwise.
func WithBreaker(scope rule.Scope, c breaker.Config) Option {
	return func(o *options) { o.breaker = &rule.BreakerTable{Scope: scope, Config: c} }
}

// breakers are the circuit breakers of a service. They last as long as the rules
// say the same of them, save for their mode.
type breakers struct {
	service *service
	is      rule.BreakerTable // its mode is that of the beginning

	whole *breaker.Breaker // of the service; nil in other scopes

	// nodes is indexed by balancer.Node.Index, whose numbers are used again. Its
	// slots are replaced in place, it is copied only to grow; both under mu.
	nodes atomic.Pointer[[]nodeBreaker]
	// methods is copied on write, under mu.
	methods atomic.Pointer[map[methodKey]*breaker.Breaker]

	mu   sync.Mutex
	mode breaker.Mode
}

// nodeBreaker is that of an instance. Whoever replaces it takes the node out first and
// puts it in last, so that who finds the same before and after has its breaker.
type nodeBreaker struct {
	node atomic.Pointer[balancer.Node]
	is   atomic.Pointer[breaker.Breaker]
}

// of returns the breaker if it is that of a node.
func (k *nodeBreaker) of(n *balancer.Node) *breaker.Breaker {
	if k.node.Load() != n {
		return nil
	}
	is := k.is.Load()
	if k.node.Load() != n {
		return nil
	}
	return is
}

func (k *nodeBreaker) set(n *balancer.Node, is *breaker.Breaker) {
	k.node.Store(nil)
	k.is.Store(is)
	k.node.Store(n)
}

// newBreakers returns those that the rules ask for, in the place of others.
func newBreakers(s *service, asked *rule.BreakerTable, before *breakers) *breakers {
	if asked == nil {
		return nil
	}
	// Who switches them off says nothing of how they are to be once they are on again.
	if before != nil && (before.is.Scope == asked.Scope && before.is.Config == asked.Config || asked.Mode == breaker.Disabled) {
		before.setMode(asked.Mode)
		return before
	}
	b := &breakers{service: s, is: *asked, mode: asked.Mode}
	b.nodes.Store(new([]nodeBreaker))
	b.methods.Store(&map[methodKey]*breaker.Breaker{})
	if asked.Scope == rule.PerService {
		b.whole = b.breakerLocked(s.name, Event{})
	}
	return b
}

// setMode takes all of them in charge, or lets them go.
func (b *breakers) setMode(mode breaker.Mode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = mode
	for one := range b.all() {
		one.SetMode(mode)
	}
}

// all yields those that there are, without those of instances that have left.
func (b *breakers) all() func(func(*breaker.Breaker, Event) bool) {
	return func(yield func(*breaker.Breaker, Event) bool) {
		if b == nil {
			return
		}
		if b.whole != nil && !yield(b.whole, Event{}) {
			return
		}
		for key, m := range *b.methods.Load() {
			if !yield(m, Event{Method: key.method, Route: key.routeKey.String()}) {
				return
			}
		}
		nodes, view := *b.nodes.Load(), b.service.pool.View()
		for i := range nodes {
			n := nodes[i].node.Load()
			if n == nil || nodeOf(view.Nodes, n.ID()) != n {
				continue
			}
			if one := nodes[i].of(n); one != nil && !yield(one, Event{Instance: n.ID()}) {
				return
			}
		}
	}
}

// breakerLocked makes a breaker of which an event tells whose it is.
func (b *breakers) breakerLocked(name string, of Event) *breaker.Breaker {
	s := b.service
	of.Service = s.name
	one, err := breaker.New(name, b.is.Config, breaker.OnChange(func(c breaker.Change) { s.mesh.breakerChanged(s, of, c) }))
	if err != nil { // cannot be: it was validated
		s.mesh.logger.Error("fairlead: circuit breaker cannot be made", "service", s.name, "error", err)
		return nil
	}
	one.SetMode(b.mode)
	return one
}

// of returns the breaker that every attempt of a call goes through, nil where that
// is a matter of the instance.
func (b *breakers) of(call *Call) *breaker.Breaker {
	switch b.is.Scope {
	case rule.PerService:
		return b.whole
	case rule.PerMethod:
		return b.ofMethod(call.methodKey())
	default:
		return nil
	}
}

// ofMethod returns the breaker of a method, nil if there are too many.
func (b *breakers) ofMethod(key methodKey) *breaker.Breaker {
	known := *b.methods.Load()
	if m := known[key]; m != nil {
		return m
	}
	if len(known) >= mostMethods {
		b.service.crowded()
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known = *b.methods.Load()
	if m := known[key]; m != nil || len(known) >= mostMethods {
		return m
	}
	m := b.breakerLocked(b.service.name+" "+key.String(), Event{Method: key.method, Route: key.routeKey.String()})
	next := make(map[methodKey]*breaker.Breaker, len(known)+1)
	maps.Copy(next, known)
	next[key] = m
	b.methods.Store(&next)
	return m
}

// ofNode returns the breaker of an instance.
func (b *breakers) ofNode(n *balancer.Node) *breaker.Breaker {
	if k := b.known(n); k != nil {
		return k
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if k := b.known(n); k != nil {
		return k
	}
	all, i := *b.nodes.Load(), n.Index()
	if i >= len(all) {
		grown := make([]nodeBreaker, max(2*len(all), i+1, 8))
		for j := range all {
			grown[j].set(all[j].node.Load(), all[j].is.Load())
		}
		b.nodes.Store(&grown)
		all = grown
	}
	k := b.breakerLocked(b.service.name+" at "+n.ID(), Event{Instance: n.ID()})
	all[i].set(n, k)
	return k
}

// known returns the breaker of an instance if there is one.
func (b *breakers) known(n *balancer.Node) *breaker.Breaker {
	if all, i := *b.nodes.Load(), n.Index(); i < len(all) {
		return all[i].of(n)
	}
	return nil
}

// breakerChanged is told of every change of a breaker, by a goroutine of its own.
func (m *Mesh) breakerChanged(s *service, of Event, c breaker.Change) {
	s.counts.one(&s.counts.transitions[c.To])
	of.Kind, of.Time, of.Text = BreakerChanged, c.Time, c.To.String()
	if c.Reason != breaker.NoReason {
		of.Text += ": " + c.Reason.String()
	}
	m.tell(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := balancer.Now()
	if untold := s.breakersTold.rest(now); untold > 0 {
		m.logger.Warn("fairlead: more circuit breakers changed than were named", "service", s.name, "unnamed", untold)
	}
	if !s.breakersTold.allow(now) {
		return
	}
	log := m.logger.Info
	if c.To == breaker.Open {
		log = m.logger.Warn
	}
	log("fairlead: circuit breaker is "+c.To.String(), "service", s.name, "breaker", c.Name, "reason", c.Reason.String(),
		"requests", c.Counts.Requests, "failures", c.Counts.Failures, "slow", c.Counts.Slow)
}
