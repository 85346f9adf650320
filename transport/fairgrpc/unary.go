package fairgrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// unary is the call half of a unary call, in one allocation.
type unary struct {
	rpc
	method     string
	req, reply any
	replies    protoreflect.MessageType // of reply, which is written to while a second attempt is made; nil: it is no message
	cc         *grpc.ClientConn
	invoker    grpc.UnaryInvoker
	opts       []grpc.CallOption
}

// unary is a [grpc.UnaryClientInterceptor].
func (d *door) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	service, ours := serviceOf(cc.Target())
	if !ours {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	opts, finish := splitOnFinish(opts)
	u := &unary{
		rpc: rpc{Context: ctx, door: d, call: transport.Call{
			Service:    service,
			Method:     method,
			Protocol:   discovery.GRPC,
			Idempotent: d.methods.of(method).idempotent,
		}},
		method: method, req: req, reply: reply, cc: cc, invoker: invoker, opts: opts,
	}
	if m, ok := reply.(proto.Message); ok {
		u.replies = m.ProtoReflect().Type()
	}
	u.show()
	u.opts = u.waiting(u.opts)
	err := u.rescue(withStatus(d.mesh.Do(u, &u.call, u)))
	u.call.Release()
	for _, f := range finish {
		f(err)
	}
	return err
}

// Try implements [transport.Attempt].
func (u *unary) Try(ctx context.Context, _ *transport.Call) transport.Outcome {
	u.begin(ctx)
	if u.call.Tries() > 1 {
		reset(u.reply)
	}
	return u.outcome(u.invoker(u.tell(ctx), u.method, u.req, u.reply, u.cc, u.opts...))
}

// reset empties a reply: an attempt that failed may have left half an answer.
func reset(reply any) {
	if m, ok := reply.(proto.Message); ok {
		proto.Reset(m)
	}
}

// splitOnFinish takes the OnFinish options out: gRPC would call them at the
// end of every attempt, and they are meant for the end of the call.
func splitOnFinish(opts []grpc.CallOption) (rest []grpc.CallOption, finish []func(error)) {
	for i, o := range opts {
		f, ok := o.(grpc.OnFinishCallOption)
		if ok && finish == nil {
			rest = append(rest, opts[:i]...)
		}
		switch {
		case ok:
			finish = append(finish, f.OnFinish)
		case finish != nil:
			rest = append(rest, o)
		}
	}
	if finish == nil {
		return opts, nil
	}
	return rest, finish
}
