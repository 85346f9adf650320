package fairgrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

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
}

// unary is a [grpc.UnaryServerInterceptor].
func (i *interceptor) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, _ = i.believe(carry(ctx))
	return handler(ctx, req)
}

// stream is a [grpc.StreamServerInterceptor].
func (i *interceptor) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, _ := i.believe(carry(stream.Context()))
	if ctx != stream.Context() {
		stream = &carrying{stream, ctx}
	}
	return handler(srv, stream)
}

func carry(ctx context.Context) context.Context {
	if values := metadata.ValueFromIncomingContext(ctx, "baggage"); len(values) > 0 {
		return transport.WithBaggage(ctx, values...)
	}
	return ctx
}

// carrying is a stream with another context.
type carrying struct {
	grpc.ServerStream
	ctx context.Context
}

func (c *carrying) Context() context.Context { return c.ctx }
