package fairgrpc

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// streaming is the call half of a stream: it ends when the stream is open. The
// attempt half goes on until gRPC calls the picker's Done at the stream's true
// end, so that nothing needs to be wrapped around it.
type streaming struct {
	rpc
	cc     *grpc.ClientConn
	open   func(context.Context, *grpc.ClientConn) (grpc.ClientStream, error)
	opened grpc.ClientStream
}

// stream is a [grpc.StreamClientInterceptor].
func (d *door) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	service, ours := serviceOf(cc.Target())
	if !ours {
		return streamer(ctx, desc, cc, method, opts...)
	}
	s := &streaming{
		cc: cc,
		rpc: rpc{Context: ctx, door: d, call: transport.Call{
			Service: service, Method: method, Protocol: discovery.GRPC, Stream: true,
		}},
	}
	s.show()
	opts = s.waiting(opts)
	s.open = func(ctx context.Context, cc *grpc.ClientConn) (grpc.ClientStream, error) {
		opts := opts
		if s.call.Holds() { // until the stream's true end
			opts = append(slices.Clip(opts), grpc.OnFinish(func(error) { s.call.Release() }))
		}
		return streamer(ctx, desc, cc, method, opts...)
	}
	if err := d.mesh.Do(s, &s.call, s); err != nil {
		return nil, withStatus(err)
	}
	return s.opened, nil
}

// Try implements [transport.Attempt]. It is not asked again once somebody was
// picked: a stream that surely did not reach a server was opened again by gRPC
// itself, to the next pick, and what failed nonetheless is final.
func (s *streaming) Try(ctx context.Context, _ *transport.Call) transport.Outcome {
	s.begin(ctx)
	var err error
	s.opened, err = s.open(s.tell(ctx), s.cc)
	o := s.outcome(err)
	o.NoRetry = true
	return o
}
