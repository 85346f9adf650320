package transport

import (
	"sync"

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

	whole   *breaker.Breaker // of the service; nil in other scopes
	nodes   perNode[breaker.Breaker]
	methods perKey[methodKey, breaker.Breaker]

	mu   sync.Mutex // held to make one and to set the mode of all, so that none is missed
	mode breaker.Mode
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
		for key, m := range b.methods.all() {
			if !yield(m, Event{Method: key.method, Route: key.routeKey.String()}) {
				return
			}
		}
		for n, one := range b.nodes.all(b.service.pool.View()) {
			if !yield(one, Event{Instance: n.ID()}) {
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
	if m := b.methods.of(key); m != nil {
		return m
	}
	if b.methods.full() {
		b.service.crowded()
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.methods.add(key, func() *breaker.Breaker {
		return b.breakerLocked(b.service.name+" "+key.String(), Event{Method: key.method, Route: key.routeKey.String()})
	})
}

// ofNode returns the breaker of an instance.
func (b *breakers) ofNode(n *balancer.Node) *breaker.Breaker {
	if k := b.nodes.of(n); k != nil {
		return k
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes.add(n, func() *breaker.Breaker { return b.breakerLocked(b.service.name+" at "+n.ID(), Event{Instance: n.ID()}) })
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
