package fairgrpc

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/advertise"
	"github.com/fairlead-go/fairlead/transport"
)

// Serve listens on the TCP address addr and runs srv there as one instance of
// instance.Service until ctx is done or a signal comes; then it leaves without
// a caller seeing an error, in the order of [transport.Serve]. It announces the
// address it listens on, or a routable one of the host where addr names none,
// unless the instance names its own endpoints. It returns nil after an orderly
// end.
//
// A readiness check, other waiting times or a second server beside srv are for
// transport.Serve with a [Server].
func Serve(ctx context.Context, mesh *transport.Mesh, srv *grpc.Server, addr string, instance discovery.Instance) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := Server(srv, l)
	if err != nil {
		return err
	}
	return transport.Serve(ctx, mesh, instance, transport.ServeConfig{}, s)
}

// Server makes srv, serving on l, fit for [transport.Serve]. It is used once,
// as srv is. The error is that of a listener whose address cannot be announced.
func Server(srv *grpc.Server, l net.Listener) (transport.Server, error) {
	addr, err := advertise.Addr(l)
	if err != nil {
		return nil, err
	}
	return &server{srv: srv, listener: l, addr: addr}, nil
}

type server struct {
	srv      *grpc.Server
	listener net.Listener
	addr     string
}

func (s *server) Endpoint() discovery.Endpoint {
	return discovery.Endpoint{Protocol: discovery.GRPC, Addr: s.addr}
}

func (s *server) Serve() error {
	if err := s.srv.Serve(s.listener); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil // stopped before it began
}

// Shutdown lets calls finish, streams among them, until ctx is done. A handler
// that goes on after its connection was cut is not waited for: it would hold
// up the process.
func (s *server) Shutdown(ctx context.Context) error {
	finished := make(chan struct{})
	go func() { // ends with the last handler
		defer close(finished)
		s.srv.GracefulStop()
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		s.srv.Stop()
		return fmt.Errorf("grpc server at %s: calls were cut off: %w", s.addr, context.Cause(ctx))
	}
}
