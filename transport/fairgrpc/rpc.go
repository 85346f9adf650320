package fairgrpc

import (
	"context"
	"io"
	"slices"

	"google.golang.org/grpc"
	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// rpc is one call on its way through gRPC: the context that carries it from
// the interceptor to the picker, and what the picker learns for the
// interceptor. gRPC calls the picker and its Done one after the other.
type rpc struct {
	context.Context
	door *door
	call transport.Call

	bounded context.Context   // that of the attempt, which ends when the rules say so
	gate    gate              // of the pick that is being made
	last    transport.Outcome // of the last pick that ended in this attempt
	refusal error             // why the last pick found nobody, in this attempt

	said    ratelimit.Priority // what the metadata says of the call's, if that stays there
	told    bool               // the metadata of this attempt says what it is
	asked   header             // that a rule has asked for last
	own     context.Context    // with the baggage of the metadata, once a rule has asked for it
	carried bool               // the baggage that goes out is that of the context
}

type rpcKey struct{}

func (r *rpc) Value(key any) any {
	if _, ok := key.(rpcKey); ok {
		return r
	}
	return r.Context.Value(key)
}

// rpcOf returns the call that ctx carries, nil if there is none.
func rpcOf(ctx context.Context) *rpc {
	r, _ := ctx.Value(rpcKey{}).(*rpc)
	return r
}

// begin starts the next attempt.
func (r *rpc) begin(ctx context.Context) {
	r.bounded = ctx
	r.last, r.refusal, r.told = transport.Outcome{}, nil, false
}

// tell adds to the context of an attempt the priority that rules or code gave the call.
// In the metadata of a pick it would have gRPC copy all there is.
func (r *rpc) tell(ctx context.Context) context.Context {
	is := r.call.Priority
	if is == r.said {
		return ctx
	}
	r.told = true
	return deadline.Unhidden(metadata.AppendToOutgoingContext(ctx, Priority, is.String()), ctx)
}

// show lets rules see the call, and takes over what the context says of it.
func (r *rpc) show() {
	r.call.Request = (*conditions)(r)
	if values := metadata.ValueFromOutgoingContext(r.Context, Priority); len(values) > 0 {
		r.call.Priority = priorityIn(values)
		r.Context = silentOfPriority(r.Context) // the picker says it once it is settled
	}
	r.call.Apply(r.Context)
	if b := r.baggage(); b != "" {
		r.Context = metadata.AppendToOutgoingContext(r.Context, "baggage", b)
	}
}

// baggage returns what the call has to carry on of its context, "" where that
// has none, or the caller has said another.
func (r *rpc) baggage() string {
	b := transport.BaggageHeader(r.Context)
	if b == "" {
		return ""
	}
	if md, _ := metadata.FromOutgoingContext(r.Context); len(md["baggage"]) > 0 {
		return ""
	}
	r.carried = true
	return b
}

// waiting adds to the options of a call that waits for ready that it does so
// for connections as well.
func (r *rpc) waiting(opts []grpc.CallOption) []grpc.CallOption {
	if !r.call.WaitForReady {
		return opts
	}
	return append(slices.Clip(opts), grpc.WaitForReady(true))
}

// errBroken stands for the bare io.EOF that gRPC lets out when the message of
// an attempt could not be sent any more and it had tried again before.
var errBroken = status.Error(codes.Unavailable, "the stream broke before its message was sent")

// outcome is that of an attempt which gRPC ended with err.
func (r *rpc) outcome(err error) transport.Outcome {
	if err == nil {
		return transport.Outcome{Class: transport.Success, Sent: true, Answered: true}
	}
	if err == io.EOF {
		err = errBroken
	}
	o := r.last
	if o.Err == nil && o.Sent { // the stream broke before its message was sent: only now is it known why
		o = r.classify(grpcbalancer.DoneInfo{Err: err, BytesSent: true, BytesReceived: o.Answered})
	}
	o.Err = err
	switch code := status.Code(err); {
	case r.refusal != nil && (code == codes.Unavailable || code == codes.ResourceExhausted):
		o.Err = r.refusal
	case code == codes.Unavailable && r.call.Attempts() == 0:
		// The channel had no picker of ours to ask, for want of a list.
		if nobody := (glance{r.door}).nobody(r, &r.call); nobody != nil {
			o.Err = nobody
		}
	case code == codes.DeadlineExceeded && o.Class == transport.Neutral:
		o.Class = transport.Timeout // in the wait for a connection
	}
	return o
}
