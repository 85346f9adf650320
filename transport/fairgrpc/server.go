package fairgrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/transport"
)

// ServerOptions returns the options with which a server takes the W3C baggage of
// a call into its context, so that the calls it makes with that context carry
// it on: that is how a lane goes along from one service to the next. Baggage is
// what the client says; whoever does not trust its clients removes it before.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			return handler(carry(ctx), req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if ctx := carry(stream.Context()); ctx != stream.Context() {
				stream = &carrying{stream, ctx}
			}
			return handler(srv, stream)
		}),
	}
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
