package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// Gate is a door's own say in a pick: gRPC can send only to instances with a
// READY connection.
type Gate interface {
	Ready(*balancer.Node) bool
}

// ErrNotReady is returned by Acquire when there are instances and the gate
// accepts none of them.
var ErrNotReady = errors.New("no instance is ready")

// repicks is how often the policy is asked again before the list is searched.
// With half of the instances refused, all of 1+4 picks are with probability
// 1/32.
const repicks = 4

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
	view := s.pool.View()

	// 9 Pick by policy among the eligible.
	picker := view.Picker(call.Protocol)
	if picker == nil {
		return Lease{}, &Error{Stage: StagePick, Class: Neutral, Service: call.Service, Method: call.Method,
			Instance: call.Instance(), Attempts: call.picks, Err: s.nobody(call.Protocol)}
	}
	bits := rand.Uint64()
	node := picker.Pick(balancer.Request{Now: now, Rand: bits, Key: call.Key})

	// 10 Gate. It stands after the pick, so that a refusal costs only those
	// who meet one.
	if (call.picks > 0 || gate != nil) && !call.accepts(node, gate) {
		if node = repick(view, picker, call, gate, now); node == nil {
			return Lease{}, ErrNotReady
		}
	}

	if call.picks == 0 {
		s.budget.Deposit(now, bits>>8)
	}
	call.note(node)
	if m.meter.on && bits&sampleMask == 0 {
		m.meter.pick(ctx, s, balancer.Now()-now)
	}
	lease := Lease{service: s, span: call.span}
	if call.Stream {
		lease.ticket = node.StartStream(now)
	} else {
		lease.ticket = node.Start(now)
	}
	return lease, nil
}

// accepts is the gate with the ledger: no attempt goes where one of this call
// went before.
func (c *Call) accepts(n *balancer.Node, gate Gate) bool {
	return !c.was(n) && (gate == nil || gate.Ready(n))
}

// repick finds another node after a refusal: by the policy while that is
// likely to succeed, then by going through all of them from a random place, so
// that an untried one that is ready is certainly found. Only if there is none,
// one that was tried is used again. It returns nil if none is ready at all.
func repick(view *balancer.View, picker balancer.Picker, call *Call, gate Gate, now time.Duration) *balancer.Node {
	for range repicks {
		if n := picker.Pick(balancer.Request{Now: now, Rand: rand.Uint64(), Key: call.Key}); call.accepts(n, gate) {
			return n
		}
	}
	nodes := view.Eligible(call.Protocol)
	first := rand.IntN(len(nodes))
	var tried *balancer.Node
	for i := range nodes {
		n := nodes[(first+i)%len(nodes)]
		if call.accepts(n, gate) {
			return n
		}
		if tried == nil && (gate == nil || gate.Ready(n)) {
			tried = n
		}
	}
	return tried
}
