package fleet

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// serveGRPC is the instance over gRPC: the service that grpc tests itself with.
func (i *instance) serveGRPC(l net.Listener, ready func(any)) error {
	own, err := net.Listen("tcp", net.JoinHostPort(i.Host, "0"))
	if err != nil {
		return err
	}
	control := &http.Server{Handler: i.control()}
	go control.Serve(own) // ends with the process
	options := []grpc.ServerOption{grpc.StatsHandler(accepting{i}), grpc.KeepaliveParams(keepalive.ServerParameters{
		MaxConnectionAge: i.MaxAge, MaxConnectionAgeGrace: 30 * time.Second,
	})}
	if i.admission != nil {
		options = append(options, fairgrpc.ServerOptions(fairgrpc.Admit(i.admission), fairgrpc.TrustPriority())...)
	}
	srv := grpc.NewServer(options...)
	grpc_testing.RegisterTestServiceServer(srv, business{instance: i})
	s, err := fairgrpc.Server(srv, l)
	if err != nil {
		return err
	}
	ready(about{l.Addr().String(), own.Addr().String()})
	return i.run(discovery.GRPC, s)
}

// business is the work over gRPC.
type business struct {
	grpc_testing.UnimplementedTestServiceServer
	*instance
}

// UnaryCall answers with the ID of the instance.
func (b business) UnaryCall(ctx context.Context, _ *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	b.received.Add(1)
	defer b.take()()
	is := b.behaviour.Load()
	if is.Status != 0 {
		b.failed.Add(1)
		b.takes(ctx, is.Work)
		code := codes.Internal
		if is.Status == http.StatusServiceUnavailable {
			code = codes.Unavailable
		}
		return nil, status.Error(code, b.ID+" is out of order")
	}
	if err := b.execute(keyOf(ctx)); err != nil {
		return nil, err
	}
	d, rare := is.length()
	defer b.begins()()
	b.takes(ctx, d)
	if rare {
		return &grpc_testing.SimpleResponse{ServerId: RareAnswer}, nil
	}
	return &grpc_testing.SimpleResponse{ServerId: b.ID}, nil
}

// StreamingOutputCall answers each tenth of a second while the caller is there.
func (b business) StreamingOutputCall(_ *grpc_testing.StreamingOutputCallRequest, s grpc.ServerStreamingServer[grpc_testing.StreamingOutputCallResponse]) error {
	b.received.Add(1)
	if err := b.execute(keyOf(s.Context())); err != nil {
		return err
	}
	b.stream(s.Context(), func() error { return s.Send(&grpc_testing.StreamingOutputCallResponse{}) })
	return s.Context().Err()
}

func keyOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, key := range md.Get(CallHeader) {
		return key
	}
	return ""
}

// accepting counts connections.
type accepting struct{ *instance }

// TagConn implements [stats.Handler].
func (accepting) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements [stats.Handler].
func (a accepting) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		a.connections.Add(1)
	}
}

// TagRPC implements [stats.Handler].
func (accepting) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements [stats.Handler].
func (accepting) HandleRPC(context.Context, stats.RPCStats) {}
