package transport

import (
	"context"
	"errors"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/rule"
)

// Gate is a door's own say in a pick: gRPC can send only to instances with a
// READY connection.
type Gate interface {
	Ready(*balancer.Node) bool
}

// Opening is what a gate may be as well: one that can tell that of all instances
// it was asked about none was ever connected to, nor found to be out of reach,
// and some are about to be. The call waits for them and does not go to the
// fallback of its route, which is for those that fail.
type Opening interface {
	Opening() bool
}

func opening(gate Gate) bool {
	o, ok := gate.(Opening)
	return ok && o.Opening()
}

// ErrNotReady is returned by Acquire when there are instances and the gate
// accepts none of them.
var ErrNotReady = errors.New("no instance is ready")

// Acquire is the attempt half, up to the sending: it picks the instance and
// counts the attempt as outstanding. Lease.Done must follow exactly once if
// the error is nil. It never waits and allocates nothing. A nil gate accepts
// every instance. The error is an [*Error], or [ErrNotReady] bare.
func (m *Mesh) Acquire(ctx context.Context, call *Call, gate Gate) (Lease, error) {
	s := call.service
	if s == nil {
		var err error
		if s, err = m.lookup(call.Service); err != nil {
			return Lease{}, m.refuse(call, err)
		}
		call.service = s
	}
	now := call.now
	if call.now = 0; now == 0 || gate != nil { // behind a gate, the call may have waited since
		now = balancer.Now()
	}
	course := s.course.Load()
	if !call.decided { // no Do came before
		if err := m.pinnable(call); err != nil {
			return Lease{}, err
		}
		course.decide(call)
	}

	// 7 The breaker of the service, or of the method. It judges every attempt, and
	// stands before all that looks for an instance, since no other would help.
	// Copies do not count, who hear of it only where nothing is let through.
	guards := call.plan.breakers
	if call.Probe {
		guards = nil
	}
	var ticket breaker.Ticket
	if guards != nil && guards.is.Scope != rule.PerInstance {
		var err error
		switch b := guards.of(call); {
		case b == nil:
		case !call.copied():
			ticket, err = b.Allow()
		case b.Rejecting():
			err = breaker.ErrOpen
		}
		if err != nil {
			return Lease{}, call.rejected(err)
		}
	}
	// 8 Route: to some of the instances only, where the rules say so.
	// 9 Pick by policy among the eligible of them.
	// 10 Gate. It stands after the pick, so that a refusal costs only those
	// who meet one.
	// Limits of instances hold for all, save who only asks whether there is one.
	bits := call.random()
	node, err := course.pick(call, gate, now, bits)
	limits := call.plan.limits
	if call.Probe {
		limits = nil
	}
	if limits != nil && limits.instances != nil && err == nil {
		node, err = limits.instances.gate(course, call, node, gate, now)
	}
	if err != nil {
		ticket.Done(breaker.Neutral)
		return Lease{}, s.nowhere(call, err)
	}
	if guards != nil && guards.is.Scope == rule.PerInstance && call.pin == "" {
		if node, ticket, err = guards.gate(course, call, node, gate, now); err != nil {
			return Lease{}, call.rejected(err)
		}
	}

	if call.picks == 0 && !call.follows {
		s.budgetOf(call.Priority).Deposit(now, bits>>8)
	}
	call.note(node)
	if bits&sampleMask == 0 && s.counts.on.Load() {
		m.meter.pick(ctx, s, balancer.Now()-now)
	}
	lease := Lease{service: s, breaker: ticket, limits: limits, priority: call.Priority, copied: call.copied()}
	if call.traced {
		lease.span = m.spanOf(ctx, call)
	}
	if call.Stream {
		lease.ticket = node.StartStream(now)
	} else {
		lease.ticket = node.Start(now)
	}
	return lease, nil
}

// nowhere is the error of an attempt for which there is nobody.
func (s *service) nowhere(call *Call, err error) error {
	if err == ErrNotReady {
		return err
	}
	if r, ok := err.(*Refusal); ok {
		return call.refused(r)
	}
	if err == balancer.ErrNoInstances {
		err = s.nobody(call)
	}
	return &Error{Stage: StagePick, Class: Neutral, Service: call.Service, Method: call.Method,
		Instance: call.Instance(), Attempts: call.picks, Err: err}
}

// rejected is the error of an attempt that a breaker does not let through.
func (c *Call) rejected(err error) error {
	return &Error{Stage: StageBreaker, Class: Neutral, Service: c.Service, Method: c.Method, Instance: c.Instance(), Attempts: c.picks, Err: err}
}
