package fairgrpc

import (
	"errors"
	"fmt"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// picker is the attempt half under gRPC: the mesh chooses, the picker knows
// who is connected. It is immutable.
type picker struct {
	*bound
	children
	aside children // for sheddable calls
}

// Pick implements gRPC's Picker. gRPC may call it several times for one
// attempt of ours, and each result has its own lease: a connection may be lost
// between the pick and the sending, and what was surely never processed is
// picked for again by gRPC itself.
func (p *picker) Pick(info grpcbalancer.PickInfo) (grpcbalancer.PickResult, error) {
	r, carry := rpcOf(info.Ctx), ""
	if r == nil || r.door.mesh != p.door.mesh || r.call.Service != p.service {
		r = p.unannounced(info)
		carry = r.baggage()
	}
	r.gate = gate{picker: p}
	lease, err := p.door.mesh.Acquire(info.Ctx, &r.call, &r.gate)
	if err != nil {
		return grpcbalancer.PickResult{}, p.refuse(r, err, info)
	}
	to := p.child(lease.Node())
	if r.call.Priority < ratelimit.Default {
		p.apart.note()
		if aside := p.aside.child(lease.Node()); aside != nil && aside.state == connectivity.Ready {
			to = aside
		}
	}
	result, err := to.picker.Pick(info)
	if err != nil {
		lease.Done(transport.Outcome{Err: err})
		return result, err
	}
	r.refusal = nil
	done := result.Done
	result.Done = func(info grpcbalancer.DoneInfo) {
		if lease.Listens() {
			listen(lease, info.Trailer)
		}
		r.last = r.classify(info)
		lease.Done(r.last)
		if !r.call.Stream && to.silence.heard(r.last) {
			to.renew()
		}
		if done != nil {
			done(info)
		}
	}
	result.Metadata = p.say(result.Metadata, r, carry)
	return result, nil
}

// unannounced makes the call of a channel that has no interceptors.
func (p *picker) unannounced(info grpcbalancer.PickInfo) *rpc {
	r := &rpc{Context: info.Ctx, bounded: info.Ctx, door: p.door, call: transport.Call{
		Service:  p.service,
		Method:   info.FullMethodName,
		Protocol: discovery.GRPC,
		Stream:   p.door.methods.of(info.FullMethodName).stream,
	}}
	r.call.Request = (*conditions)(r)
	r.said = priorityIn(metadata.ValueFromOutgoingContext(info.Ctx, Priority))
	r.call.Priority = r.said
	r.call.Apply(info.Ctx)
	return r
}

// refuse turns a failed Acquire into what gRPC makes of it: wait for the next
// picker; or, of a plain error, fail unless the caller wants to wait until
// ready; or, of a status, fail in any case.
func (p *picker) refuse(r *rpc, err error, info grpcbalancer.PickInfo) error {
	switch {
	case errors.Is(err, transport.ErrNotReady):
		if r.gate.pending || r.gate.broken == nil {
			return grpcbalancer.ErrNoSubConnAvailable
		}
		_, cause := r.gate.broken.picker.Pick(info)
		err = &transport.Error{
			Stage: transport.StagePick, Class: transport.Lost, Service: r.call.Service, Method: r.call.Method,
			Instance: r.gate.broken.node.ID(), Attempts: r.call.Attempts(),
			Err: fmt.Errorf("%w: %w", transport.ErrNotReady, cause),
		}
	case !errors.Is(err, balancer.ErrNoInstances):
		r.refusal = err
		return withStatus(err) // nothing that waiting would mend
	}
	r.refusal = err
	return errors.New(err.Error()) // plain whatever its causes are
}

// gate is what a picker knows, as asked about by one pick.
type gate struct {
	picker  *picker
	pending bool   // some instance may be ready soon
	settled bool   // of some it is known whether they can be connected to
	broken  *child // one that could not be connected to
}

// Ready implements [transport.Gate].
func (g *gate) Ready(n *balancer.Node) bool {
	c := g.picker.child(n)
	if c == nil { // the mesh has seen it before the channel has
		g.pending = true
		return false
	}
	switch c.state {
	case connectivity.Ready:
		g.settled = true
		return true
	case connectivity.TransientFailure:
		g.broken = c
	default:
		g.pending = true
	}
	g.settled = g.settled || c.settled()
	return false
}

// Opening implements [transport.Opening].
func (g *gate) Opening() bool { return g.pending && !g.settled }
