package fairhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/advertise"
	"github.com/fairlead-go/fairlead/transport"
)

// Serve listens on srv.Addr and runs srv there as one instance of
// instance.Service until ctx is done or a signal comes; then it leaves without
// a caller seeing an error, in the order of [transport.Serve]. It announces the
// address it listens on, or a routable one of the host where srv.Addr names
// none, unless the instance names its own endpoints. It speaks TLS if
// srv.TLSConfig has a certificate. It returns nil after an orderly end.
//
// A readiness check, other waiting times or a second server beside srv are for
// transport.Serve with a [Server].
func Serve(ctx context.Context, mesh *transport.Mesh, srv *http.Server, instance discovery.Instance) error {
	addr := srv.Addr
	switch {
	case addr != "":
	case speaksTLS(srv):
		addr = ":https"
	default:
		addr = ":http"
	}
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

// Server makes srv, serving on l, fit for [transport.Serve]; several listeners
// of one srv are several servers. It speaks TLS if srv.TLSConfig has a
// certificate. The error is that of a listener whose address cannot be
// announced.
//
// Connections that were upgraded or hijacked are nobody's in flight, as
// [http.Server.Shutdown] says; RegisterOnShutdown is where they are told.
func Server(srv *http.Server, l net.Listener) (transport.Server, error) {
	addr, err := advertise.Addr(l)
	if err != nil {
		return nil, err
	}
	return &server{srv: srv, listener: l, addr: addr}, nil
}

func speaksTLS(srv *http.Server) bool {
	c := srv.TLSConfig
	return c != nil && (len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil)
}

type server struct {
	srv      *http.Server
	listener net.Listener
	addr     string
}

func (s *server) Endpoint() discovery.Endpoint {
	return discovery.Endpoint{Protocol: discovery.HTTP, Addr: s.addr}
}

func (s *server) Serve() error {
	serve := s.srv.Serve
	if speaksTLS(s.srv) {
		serve = func(l net.Listener) error { return s.srv.ServeTLS(l, "", "") }
	}
	if err := serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *server) Shutdown(ctx context.Context) error {
	if err := s.srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("http server at %s: calls were cut off: %w", s.addr, errors.Join(err, s.srv.Close()))
	}
	return nil
}
