package fairhttp_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// patience bounds what has to happen at once; it is not a measurement.
const patience = 30 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// service is the registry of a test, with one service in it.
type service struct {
	discovery.Memory
	mesh *transport.Mesh
}

// newService returns the service "orders" with an instance at each address,
// and a mesh that knows it.
func newService(t testing.TB, addrs ...string) *service {
	t.Helper()
	return newServiceWith(t, nil, addrs...)
}

// newServiceWith is newService with options for the mesh. Without one for the
// policy instances take turns.
func newServiceWith(t testing.TB, opts []transport.Option, addrs ...string) *service {
	t.Helper()
	s := new(service)
	t.Cleanup(s.Memory.Close)
	opts = append([]transport.Option{transport.WithLogger(quiet), transport.WithPolicy(balancer.RoundRobin{})}, opts...)
	mesh, err := transport.New(&s.Memory, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	s.mesh = mesh
	for _, addr := range addrs {
		s.add(t, addr)
	}
	return s
}

func (s *service) add(t testing.TB, addr string) discovery.Registration {
	t.Helper()
	i := discovery.Addrs("orders", addr)[0]
	r, err := s.Register(context.Background(), i)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// client returns a client of the service, with c beside the quiet logger.
func (s *service) client(t testing.TB, c fairhttp.Config, base http.RoundTripper) (*http.Client, *fairhttp.Transport) {
	t.Helper()
	if c.Logger == nil {
		c.Logger = quiet
	}
	rt, err := c.Transport(s.mesh, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return &http.Client{Transport: rt}, rt
}

// outstanding returns the calls in flight to all instances.
func (s *service) outstanding() int {
	sum := 0
	for _, service := range s.mesh.Dump().Services {
		for _, i := range service.Instances {
			sum += i.Stats.Outstanding
		}
	}
	return sum
}

// attempts returns the attempts that ended, by outcome.
func (s *service) attempts() map[string]int64 {
	for _, service := range s.mesh.Dump().Services {
		return service.Attempts
	}
	return nil
}

// server is an HTTP server that counts.
type server struct {
	*httptest.Server
	executions  atomic.Int64 // requests that reached the handler
	connections atomic.Int64 // accepted
	open        atomic.Int64 // connections
}

func (s *server) addr() string { return s.Listener.Addr().String() }

// serve starts a server; tune may change it before.
func serve(t testing.TB, h http.HandlerFunc, tune ...func(*server)) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.executions.Add(1)
		h(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.connections.Add(1)
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	for _, f := range tune {
		f(s)
	}
	if s.URL == "" {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// say is a handler that says text.
func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// refusing returns an address at which nobody listens.
func refusing(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fetch makes a request and returns the body of its answer.
func fetch(t testing.TB, c *http.Client, method, url, body string) (*http.Response, string) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// until waits for what is about to happen.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
