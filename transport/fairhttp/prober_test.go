package fairhttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// nodeAt returns an instance of orders at an address.
func nodeAt(addr string) *balancer.Node {
	return balancer.NewNode(discovery.Instance{ID: "a", Service: "orders", Addr: addr}, 0)
}

// status is a handler that answers with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
	}
}

func TestProberStatus(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prober fairhttp.Prober
		status int
		passes bool
	}{
		{"200", fairhttp.Prober{}, 200, true},
		{"204", fairhttp.Prober{}, 204, true},
		{"299", fairhttp.Prober{}, 299, true},
		{"a redirect, which is not followed", fairhttp.Prober{}, 302, false},
		{"404", fairhttp.Prober{}, 404, false},
		{"500", fairhttp.Prober{}, 500, false},
		{"503", fairhttp.Prober{}, 503, false},
		{"a redirect that will do", fairhttp.Prober{StatusTo: 399}, 302, true},
		{"beyond what will do", fairhttp.Prober{StatusTo: 399}, 400, false},
		{"only one will do", fairhttp.Prober{StatusFrom: 204, StatusTo: 204}, 204, true},
		{"below it", fairhttp.Prober{StatusFrom: 204, StatusTo: 204}, 200, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, status(tt.status))
			if err := tt.prober.Probe(t.Context(), nodeAt(s.addr())); (err == nil) != tt.passes {
				t.Errorf("error is %v", err)
			}
			if n := s.executions.Load(); n != 1 {
				t.Errorf("%d requests were made", n)
			}
		})
	}
}

// A probe goes out as a call does, in all that a call can speak.
func TestProberSpeaksAsCallsDo(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			var seen *http.Request
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				seen = r
				io.WriteString(w, "fine")
			}, w.server)
			for _, row := range []struct {
				prober     fairhttp.Prober
				host, path string
			}{
				{fairhttp.Prober{Config: w.client}, "orders", "/"},
				{fairhttp.Prober{Config: w.client, Path: "/healthz?deep=1", Host: "ready.orders"}, "ready.orders", "/healthz?deep=1"},
			} {
				if err := row.prober.Probe(t.Context(), nodeAt(s.addr())); err != nil {
					t.Fatal(err)
				}
				if seen.Method != "GET" || seen.Proto != w.proto || seen.Host != row.host || seen.RequestURI != row.path {
					t.Errorf("the server saw %s %s %s for %s", seen.Method, seen.RequestURI, seen.Proto, seen.Host)
				}
			}
			if n := s.connections.Load(); n != 2 {
				t.Errorf("%d connections for 2 probes", n)
			}
			until(t, "no connection is open", func() bool { return s.open.Load() == 0 })
		})
	}
}

func TestProberAsksForTheIdentityOfTheService(t *testing.T) {
	of, _ := identity(t, "orders")
	_, stranger := identity(t, "orders")
	for _, tt := range []struct {
		name  string
		trust *tls.Config
	}{{"of somebody else", stranger}, {"without a name that is certified", &tls.Config{RootCAs: stranger.RootCAs, ServerName: "users"}}} {
		s := serve(t, say("fine"), overTLS(of, false))
		err := fairhttp.Prober{Config: fairhttp.Config{TLS: tt.trust}}.Probe(t.Context(), nodeAt(s.addr()))
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Errorf("%s: error is %v", tt.name, err)
		}
		if s.executions.Load() != 0 {
			t.Errorf("%s: the request was made", tt.name)
		}
	}
}

// An answer may be read up to a bound, and one that never ends is cut off.
func TestProberReadsABoundedAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for b := make([]byte, 32<<10); r.Context().Err() == nil; {
			w.Write(b)
		}
	})
	if err := (fairhttp.Prober{}).Probe(t.Context(), nodeAt(s.addr())); err != nil {
		t.Error(err)
	}
}

// Whatever it is that hangs, a probe ends with its context, and leaves nothing
// behind.
func TestProbeEndsWithItsContext(t *testing.T) {
	of, trust := identity(t, "orders")
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tt := range []struct {
		name   string
		server func(*server)
		h      http.HandlerFunc
		config fairhttp.Config
	}{
		{"the answer", func(*server) {}, hang, fairhttp.Config{}},
		{"the answer over HTTP/2", overTLS(of, true), hang, fairhttp.Config{TLS: trust}},
		{"the answer over HTTP/2 without TLS", overH2C, hang, fairhttp.Config{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}},
		{"the body", func(*server) {}, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, fairhttp.Config{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.h, tt.server)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { // ends with the first request
				for s.executions.Load() == 0 {
					runtime.Gosched()
				}
				cancel()
			}()
			if err := (fairhttp.Prober{Config: tt.config}).Probe(ctx, nodeAt(s.addr())); !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
			until(t, "no connection is open", func() bool { return s.open.Load() == 0 })
		})
	}
}

// A server that takes connections and says nothing, not even hello.
func TestProbeOfASilentServer(t *testing.T) {
	_, trust := identity(t, "orders")
	for _, tt := range []struct {
		name   string
		config fairhttp.Config
	}{{"HTTP/1.1", fairhttp.Config{}}, {"TLS", fairhttp.Config{TLS: trust}}, {"HTTP/2", fairhttp.Config{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}}} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- fairhttp.Prober{Config: tt.config}.Probe(ctx, nodeAt(l.Addr().String())) }()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Read(make([]byte, 1)) // it has begun to talk
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
			conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is left open")
			}
		})
	}
}

func TestProberOfWhomCannotBeReached(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for _, tt := range []struct {
		name string
		node *balancer.Node
		want error
	}{
		{"nobody listens", nodeAt(refusing(t)), syscall.ECONNREFUSED},
		{"the socket is not there", nodeAt("unix:" + socket), syscall.ENOENT},
		{"it does not speak HTTP", balancer.NewNode(discovery.Instance{ID: "a", Service: "orders",
			Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "127.0.0.1:1"}}}, 0), balancer.ErrUnprobed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := (fairhttp.Prober{}).Probe(t.Context(), tt.node); !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
		})
	}
}

func TestProberOverAUnixSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, say("fine"), func(s *server) { s.Listener.Close(); s.Listener = l })
	node := nodeAt("unix:" + l.Addr().String())
	for _, base := range []*http.Transport{nil, {}, {DialContext: new(net.Dialer).DialContext}} {
		if err := (fairhttp.Prober{Base: base}).Probe(t.Context(), node); err != nil {
			t.Error(err)
		}
	}
	if n := s.executions.Load(); n != 3 {
		t.Errorf("%d requests came", n)
	}
}

// Nobody is connected to who may not be called, whatever a name has become and
// whoever dials; and nothing is said over a connection that leads there.
func TestProberObeysTheAddressPolicy(t *testing.T) {
	dial := new(net.Dialer).DialContext
	for _, tt := range []struct {
		name      string
		base      *http.Transport
		connected bool
	}{
		{"by itself", nil, false},
		{"with a base that has no dialer", &http.Transport{}, false},
		{"with a dialer", &http.Transport{DialContext: dial}, true},
		//lint:ignore SA1019 a caller's transport may still have one
		{"with a dialer of old", &http.Transport{Dial: net.Dial}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSecret(t)
			ctx := balancer.WithSocketCheck(t.Context(), discovery.Reach{}.CheckSocket)
			err := fairhttp.Prober{Base: tt.base}.Probe(ctx, nodeAt("localhost:"+s.port()))
			if !errors.Is(err, discovery.ErrForbidden) {
				t.Errorf("error is %v", err)
			}
			if n, heard := s.reached(t); (n > 0) != tt.connected || heard != "" {
				t.Errorf("%d connections, and %q was sent", n, heard)
			}
		})
	}
}

// An environment with a proxy does not change where a probe goes.
func TestProberUsesNoProxy(t *testing.T) {
	s := serve(t, say("fine"))
	base := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("a proxy was asked for") }}
	if err := (fairhttp.Prober{Base: base}).Probe(t.Context(), nodeAt(s.addr())); err != nil {
		t.Error(err)
	}
}

func TestProberValidate(t *testing.T) {
	dialling := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }}
	for _, tt := range []struct {
		name   string
		prober fairhttp.Prober
		field  string // "": it is good
	}{
		{"zero", fairhttp.Prober{}, ""},
		{"all of it", fairhttp.Prober{Path: "/healthz?deep=1", Host: "orders:8080", StatusFrom: 200, StatusTo: 399, Base: dialling}, ""},
		{"a path that begins nowhere", fairhttp.Prober{Path: "healthz"}, "Prober.Path"},
		{"a URL", fairhttp.Prober{Path: "http://orders/healthz"}, "Prober.Path"},
		{"a path that is none", fairhttp.Prober{Path: "/%zz"}, "Prober.Path"},
		{"a path of two lines", fairhttp.Prober{Path: "/a\r\nX: y"}, "Prober.Path"},
		{"a host with a path", fairhttp.Prober{Host: "orders/healthz"}, "Prober.Host"},
		{"a host with a user", fairhttp.Prober{Host: "me@orders"}, "Prober.Host"},
		{"a host of two lines", fairhttp.Prober{Host: "orders\r\nX: y"}, "Prober.Host"},
		{"a status that is no end", fairhttp.Prober{StatusFrom: 100}, "Prober.StatusFrom"},
		{"a negative status", fairhttp.Prober{StatusTo: -1}, "Prober.StatusTo"},
		{"a status that is none", fairhttp.Prober{StatusTo: 600}, "Prober.StatusTo"},
		{"nothing between", fairhttp.Prober{StatusFrom: 300}, "Prober.StatusTo"},
		{"no protocol", fairhttp.Prober{Config: fairhttp.Config{Protocols: new(http.Protocols)}}, "Config.Protocols"},
		{"two ways to TLS", fairhttp.Prober{Config: fairhttp.Config{TLS: new(tls.Config)}, Base: dialling}, "Prober.Config.TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.prober.Validate()
			field, ok := errors.AsType[*discovery.FieldError](err)
			if tt.field == "" && err != nil || tt.field != "" && (!ok || field.Field != tt.field) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// Hundreds of probes, of all ends, leave no descriptor behind; TestMain sees to
// the goroutines.
func TestProbesLeakNoDescriptors(t *testing.T) {
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(all)
	}
	before := open()
	t.Run("probes", func(t *testing.T) {
		fine, ill := serve(t, say("fine")), serve(t, status(500))
		for range 100 {
			for _, addr := range []string{fine.addr(), ill.addr(), refusing(t)} {
				fairhttp.Prober{}.Probe(t.Context(), nodeAt(addr))
			}
		}
		until(t, "no connection is open", func() bool { return fine.open.Load()+ill.open.Load() == 0 })
	})
	until(t, "no descriptor is left", func() bool { return open() <= before })
}

// What one probe costs its client and the server together.
func BenchmarkProbe(b *testing.B) {
	for _, w := range wires(b) {
		b.Run(w.name, func(b *testing.B) {
			s := serve(b, say("fine"), w.server)
			prober, node := fairhttp.Prober{Config: w.client}, nodeAt(s.addr())
			for b.Loop() {
				if err := prober.Probe(b.Context(), node); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
