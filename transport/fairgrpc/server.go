package fairgrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
)

// ServerOption says more of the servers that [ServerOptions] are for.
type ServerOption func(*interceptor)

// ServerOptions returns the options with which a server takes the W3C baggage and the
// priority of a call into its context, so that the calls it makes with that context
// carry them on: that is how a lane goes along from one service to the next, and how
// the calls that are made for a sheddable one are sheddable as well. Baggage is what
// the client says; whoever does not trust its clients removes it before. A priority
// above the ordinary takes [TrustPriority].
func ServerOptions(options ...ServerOption) []grpc.ServerOption {
	i := new(interceptor)
	for _, o := range options {
		o(i)
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(i.unary), grpc.ChainStreamInterceptor(i.stream)}
}

// interceptor is what stands before the handlers of a server.
type interceptor struct {
	trustPriority bool
	admission     *transport.Admission // nil: all are taken on
}

// unary is a [grpc.UnaryServerInterceptor].
func (i *interceptor) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, priority, _ := i.carry(ctx)
	if i.admission == nil {
		return handler(ctx, req)
	}
	admitted, err := i.admit(ctx, transport.Arrival{Method: info.FullMethod, Priority: priority})
	if err != nil {
		return nil, err
	}
	end := transport.Neutral // of a panic
	defer func() { admitted.Done(end) }()
	resp, err := handler(ctx, req)
	end = endOf(ctx, err)
	return resp, err
}

// stream is a [grpc.StreamServerInterceptor].
func (i *interceptor) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, priority, changed := i.carry(stream.Context())
	if changed {
		stream = &carrying{stream, ctx}
	}
	if i.admission == nil {
		return handler(srv, stream)
	}
	admitted, err := i.admit(ctx, transport.Arrival{Method: info.FullMethod, Priority: priority, Stream: true})
	if err != nil {
		return err
	}
	defer admitted.Done(transport.Neutral) // how long it lasts says nothing
	return handler(srv, stream)
}

// carry returns the context that a handler is given, whether it is another than that
// of the call, and the priority of the call as far as it is believed.
func (i *interceptor) carry(ctx context.Context) (_ context.Context, p ratelimit.Priority, changed bool) {
	if values := metadata.ValueFromIncomingContext(ctx, "baggage"); len(values) > 0 {
		ctx, changed = transport.WithBaggage(ctx, values...), true
	}
	switch p = priorityIn(metadata.ValueFromIncomingContext(ctx, Priority)); {
	case p == ratelimit.Default:
		return ctx, p, changed
	case p > ratelimit.Default && !i.trustPriority:
		md, _ := metadata.FromIncomingContext(ctx) // a copy
		delete(md, Priority)
		return metadata.NewIncomingContext(ctx, md), ratelimit.Default, true
	default:
		return transport.WithCall(ctx, transport.OnBehalfOf(p)), p, true
	}
}

// carrying is a stream with another context.
type carrying struct {
	grpc.ServerStream
	ctx context.Context
}

func (c *carrying) Context() context.Context { return c.ctx }
