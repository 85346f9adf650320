package fairhttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// remote is a registry that does not say where what it tells comes from.
type remote struct{ discovery.Registry }

// secret is a server on loopback that nobody was meant to reach.
type secret struct {
	addr    string
	serving sync.WaitGroup // one goroutine for the listener, one per connection, ended by the test

	mu       sync.Mutex // guards what follows
	accepted int
	open     map[net.Conn]bool
	heard    []byte
}

// control is said by the connection that a test makes itself.
const control = "control"

func newSecret(t *testing.T) *secret {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &secret{addr: l.Addr().String(), open: map[net.Conn]bool{}}
	s.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepted++
			s.open[conn] = true
			s.mu.Unlock()
			s.serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for conn := range s.open {
			conn.Close()
		}
		s.mu.Unlock()
		s.serving.Wait()
	})
	return s
}

// serve answers whatever it is told.
func (s *secret) serve(conn net.Conn) {
	defer conn.Close()
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		s.mu.Lock()
		if string(b[:n]) != control {
			s.heard = append(s.heard, b[:n]...)
		}
		if err != nil {
			delete(s.open, conn)
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
	}
}

// port is that of the secret, for names of its host.
func (s *secret) port() string { return s.addr[strings.LastIndexByte(s.addr, ':')+1:] }

// reached returns how many connections were made, and what came over them.
// Connections are accepted in the order they were made: once one of its own is
// served, all earlier ones are counted.
func (s *secret) reached(t *testing.T) (connections int, heard string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, control)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	until(t, "all connections have ended", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.open) == 0
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted - 1, string(s.heard)
}

// meshOver returns a mesh over orders with one instance at each address.
func meshOver(t *testing.T, local bool, reach discovery.Reach, addrs ...string) *transport.Mesh {
	t.Helper()
	static, err := discovery.NewStatic(discovery.Addrs("orders", addrs...)...)
	if err != nil {
		t.Fatal(err)
	}
	var registry discovery.Registry = static
	if !local {
		registry = remote{static}
	}
	mesh, err := transport.New(registry, transport.WithLogger(quiet), transport.WithReach(reach), transport.WithPolicy(balancer.RoundRobin{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close(context.Background()) })
	return mesh
}

func clientOver(t *testing.T, mesh *transport.Mesh, config fairhttp.Config, base http.RoundTripper) *http.Client {
	t.Helper()
	config.Logger = quiet
	rt, err := config.Transport(mesh, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return &http.Client{Transport: rt}
}

var loopbackNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// A record that points at a server on loopback makes nobody connect there, be
// it by an address, by one in disguise, or by a name that becomes one.
func TestForbiddenAddressIsNeverConnectedTo(t *testing.T) {
	names := discovery.Reach{Hostnames: true}
	for _, row := range []struct {
		name   string
		local  bool // registry
		reach  discovery.Reach
		host   string
		config fairhttp.Config
		base   http.RoundTripper
		socket bool // it is the socket that is refused, not the record
	}{
		{"address", false, discovery.Reach{}, "127.0.0.1", fairhttp.Config{}, nil, false},
		{"address, dialled ahead", false, discovery.Reach{}, "127.0.0.1", fairhttp.Config{Prewarm: 2}, nil, false},
		{"address over a shared base", false, discovery.Reach{}, "127.0.0.1", fairhttp.Config{}, wrapped{http.DefaultTransport}, false},
		{"address mapped into IPv6", false, names, "[::ffff:127.0.0.1]", fairhttp.Config{}, nil, false},
		{"address outside the networks of a local registry", true, discovery.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "127.0.0.1", fairhttp.Config{}, nil, false},
		{"name", true, discovery.Reach{Loopback: true}, "localhost", fairhttp.Config{}, nil, false},
		{"allowed name", false, names, "localhost", fairhttp.Config{}, nil, true},
		{"allowed name, dialled ahead", false, names, "localhost", fairhttp.Config{Prewarm: 2}, nil, true},
		{"allowed name over a base without a dialer", false, names, "localhost", fairhttp.Config{}, &http.Transport{}, true},
		{"allowed name over TLS", false, names, "localhost", fairhttp.Config{TLS: &tls.Config{}}, nil, true},
		{"allowed name over a shared base", true, names, "localhost", fairhttp.Config{}, wrapped{http.DefaultTransport}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSecret(t)
			mesh := meshOver(t, row.local, row.reach, row.host+":"+s.port())
			client := clientOver(t, mesh, row.config, row.base)
			resp, err := client.Get("mesh://orders/")
			if err == nil {
				resp.Body.Close()
				t.Fatalf("the call was answered: %s", resp.Status)
			}
			if n, _ := s.reached(t); n != 0 {
				t.Errorf("%d connections were made; the call says %v", n, err)
			}
			e, ok := errors.AsType[*transport.Error](err)
			if !ok || e.MaybeExecuted {
				t.Errorf("error %v; want one of the mesh that surely nothing was executed", err)
			}
			_, shared := row.base.(wrapped)
			if !errors.Is(err, discovery.ErrForbidden) && !(shared && strings.Contains(err.Error(), "host name")) {
				t.Errorf("error %v, want ErrForbidden", err)
			}
			d := mesh.Dump().Services[0]
			if refused := d.ForbiddenSockets > 0; refused != row.socket {
				t.Errorf("%d sockets refused", d.ForbiddenSockets)
			}
			if d.Forbidden > 0 == (row.socket || shared && row.reach.Hostnames) {
				t.Errorf("%d endpoints forbidden, %v", d.Forbidden, d.Violations)
			}
		})
	}
}

func TestLoopbackIsUsedWhereItIsAllowed(t *testing.T) {
	var dialer net.Dialer
	for _, row := range []struct {
		name  string
		local bool
		reach discovery.Reach
		host  string
		base  http.RoundTripper
	}{
		{"by a local registry", true, discovery.Reach{}, "127.0.0.1", nil},
		{"by a local registry, over a shared base", true, discovery.Reach{}, "127.0.0.1", wrapped{http.DefaultTransport}},
		{"by a local registry, through a dialer", true, discovery.Reach{}, "127.0.0.1", &http.Transport{DialContext: dialer.DialContext}},
		{"in code", false, discovery.Reach{Loopback: true}, "127.0.0.1", nil},
		{"as a network", false, discovery.Reach{Networks: loopbackNet}, "127.0.0.1", nil},
		{"by a name", false, discovery.Reach{Loopback: true, Hostnames: true}, "localhost", nil},
		{"by a name, through a dialer", true, discovery.Reach{Hostnames: true}, "localhost", &http.Transport{DialContext: dialer.DialContext}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, say("hello"))
			port := s.addr()[strings.LastIndexByte(s.addr(), ':'):]
			client := clientOver(t, meshOver(t, row.local, row.reach, row.host+port), fairhttp.Config{}, row.base)
			if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" {
				t.Errorf("answer %q", body)
			}
		})
	}
}

// A dialer of the caller's may connect elsewhere than the record says. That
// connection is closed before anything is written to it.
func TestConnectionOfAForeignDialerIsChecked(t *testing.T) {
	for _, row := range []struct {
		name string
		base func(dial func(network, addr string) (net.Conn, error)) *http.Transport
	}{
		{"DialContext", func(dial func(network, addr string) (net.Conn, error)) *http.Transport {
			return &http.Transport{DialContext: func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }}
		}},
		{"Dial", func(dial func(network, addr string) (net.Conn, error)) *http.Transport {
			//lint:ignore SA1019 a caller's transport may still have one
			return &http.Transport{Dial: dial}
		}},
		{"DialTLSContext", func(dial func(network, addr string) (net.Conn, error)) *http.Transport {
			return &http.Transport{DialTLSContext: func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }}
		}},
		{"DialTLS", func(dial func(network, addr string) (net.Conn, error)) *http.Transport {
			//lint:ignore SA1019 a caller's transport may still have one
			return &http.Transport{DialTLS: dial}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSecret(t)
			base := row.base(func(network, _ string) (net.Conn, error) { return net.Dial(network, s.addr) })
			client := clientOver(t, meshOver(t, false, discovery.Reach{}, "203.0.113.7:80"), fairhttp.Config{Hosts: []string{"orders"}}, base)
			url := "http://orders/"
			if strings.Contains(row.name, "TLS") {
				url = "https://orders/"
			}
			if resp, err := client.Get(url); !errors.Is(err, discovery.ErrForbidden) {
				if err == nil {
					resp.Body.Close()
				}
				t.Errorf("error %v, want ErrForbidden", err)
			}
			if n, heard := s.reached(t); n == 0 || heard != "" {
				t.Errorf("%d connections, and %q was sent", n, heard)
			}
		})
	}
}

// What is refused at the socket was surely not sent: the call goes elsewhere,
// whatever its method.
func TestForbiddenSocketIsTriedElsewhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("this system has one loopback address only: %v", err)
	}
	good := serve(t, say("hello"), func(s *server) {
		s.Listener.Close()
		s.Listener = l
	})
	s := newSecret(t)
	reach := discovery.Reach{Hostnames: true, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
	client := clientOver(t, meshOver(t, false, reach, "localhost:"+s.port(), good.addr()), fairhttp.Config{}, nil)
	for range 4 {
		if _, body := fetch(t, client, "POST", "mesh://orders/", "once"); body != "hello" {
			t.Errorf("answer %q", body)
		}
	}
	if n, _ := s.reached(t); n != 0 {
		t.Errorf("%d connections to the forbidden one", n)
	}
}

// What the mesh does not govern is none of its business.
func TestPolicyIsForInstancesOnly(t *testing.T) {
	s := serve(t, say("hello"))
	client := clientOver(t, meshOver(t, false, discovery.Reach{}), fairhttp.Config{}, nil)
	if _, body := fetch(t, client, "GET", "http://"+s.addr(), ""); body != "hello" {
		t.Errorf("answer %q", body)
	}
}
