package etcdtest

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/internal/integration/child"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// Server is one etcd. Its methods are for one goroutine.
type Server struct {
	settings settings
	tls      *tls.Config    // for clients of the test; nil: plaintext
	process  *child.Process // nil: not running
}

// Option sets something of a server.
type Option func(*Server)

// WithQuota bounds the store, so that it can be filled up.
func WithQuota(bytes int64) Option { return func(s *Server) { s.settings.Quota = bytes } }

// WithTokenTTL sets how many seconds the token lives that a password buys. It
// has to be renewed by using it.
func WithTokenTTL(seconds uint) Option { return func(s *Server) { s.settings.TokenSeconds = seconds } }

// WithTLS makes the server demand certificates of ca, whose common name is the
// user.
func WithTLS(ca *CA) Option {
	return func(s *Server) {
		s.settings.TLS = ca.issue("etcd", "etcd", time.Now().Add(24*time.Hour), netip.MustParseAddrPort(s.Endpoint()).Addr())
		s.tls = ca.Client("root")
	}
}

// Start starts an etcd with an empty store and stops it with the test.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := New(t, options...)
	s.Restart(t)
	return s
}

// New is Start without starting: nobody listens at the endpoint before the
// first Restart.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := newServer(t, t.TempDir())
	t.Cleanup(s.Kill)
	for _, set := range options {
		set(s)
	}
	return s
}

func newServer(t testing.TB, dir string) *Server {
	t.Helper()
	return &Server{settings: settings{Name: "default", Dir: dir, Client: ownAddr(t), Peer: ownAddr(t)}}
}

func ownAddr(t testing.TB) string {
	t.Helper()
	addr, err := loopback.Addr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// Endpoint is the host:port for clients.
func (s *Server) Endpoint() string { return s.settings.Client }

// Client returns an etcd client of the test's own: root, where that matters.
func (s *Server) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	return NewClient(t, clientv3.Config{Endpoints: []string{s.Endpoint()}, TLS: s.tls})
}

// NewClient returns an etcd client that logs nothing and is closed with the
// test.
func NewClient(t testing.TB, c clientv3.Config) *clientv3.Client {
	t.Helper()
	c.Logger = clientv3.NewCtxClient(context.Background()).GetLogger() // silent
	client, err := clientv3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// Kill ends the server without warning. The store stays on disk.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.Kill()
		s.process = nil
	}
}

// Restart starts the server that was killed, over the same store and at the
// same address, and waits until it serves.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) start() error {
	if s.process != nil {
		return errors.New("etcd is running")
	}
	p, err := child.Run(role.Name, s.settings, new(struct{}))
	if err == nil {
		s.process = p
	}
	return err
}

// Pause stops the server in mid-step: its connections stand, nobody answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	if err := s.process.Pause(); err != nil {
		t.Fatal(err)
	}
}

// Resume ends Pause.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	if err := s.process.Resume(); err != nil {
		t.Fatal(err)
	}
}

// limited returns the context of a call that a healthy server answers at once:
// etcd's client would otherwise try for ever.
func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
