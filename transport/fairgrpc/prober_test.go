package fairgrpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// nodeAt returns an instance of orders at an address.
func nodeAt(addr string) *balancer.Node {
	return balancer.NewNode(discovery.Instance{ID: "a", Service: "orders", Addr: addr}, 0)
}

// checked is a health service that a test makes answer.
type checked struct {
	healthpb.UnimplementedHealthServer
	check func(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error)
}

func (c checked) Check(ctx context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return c.check(ctx, r)
}

// healthy serves a health service beside the test service.
func healthy(t *testing.T, s healthpb.HealthServer, opts ...grpc.ServerOption) *backend {
	t.Helper()
	b := start(t, "a", opts...)
	b.kill()
	b.extra = func(srv *grpc.Server) { healthpb.RegisterHealthServer(srv, s) }
	b.listen(t, "127.0.0.1:0")
	return b
}

func TestProberAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		service string
		want    codes.Code // of the error; OK: it passes; Unknown: no status
	}{
		{"the server as a whole", "", codes.OK},
		{"SERVING", "orders", codes.OK},
		{"NOT_SERVING", "carts", codes.Unknown},
		{"UNKNOWN", "users", codes.Unknown},
		{"NOT_FOUND: the health service knows no such service", "stock", codes.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leakCheck(t)
			s := health.NewServer()
			s.SetServingStatus("orders", healthpb.HealthCheckResponse_SERVING)
			s.SetServingStatus("carts", healthpb.HealthCheckResponse_NOT_SERVING)
			s.SetServingStatus("users", healthpb.HealthCheckResponse_UNKNOWN)
			b := healthy(t, s)
			if err := (fairgrpc.Prober{Service: tt.service}).Probe(within(t), nodeAt(b.addr)); status.Code(err) != tt.want {
				t.Errorf("error is %v", err)
			}
			if n := b.accepted(); n != 1 {
				t.Errorf("%d connections for one probe", n)
			}
		})
	}
}

// A server without a health service has nothing against it (A17), and one whose
// health service fails has.
func TestProberStatuses(t *testing.T) {
	t.Run("no health service", func(t *testing.T) {
		leakCheck(t)
		if err := (fairgrpc.Prober{}).Probe(within(t), nodeAt(start(t, "a").addr)); err != nil {
			t.Error(err)
		}
	})
	for _, tt := range []struct {
		code   codes.Code
		passes bool
	}{{codes.Unimplemented, true}, {codes.Unavailable, false}, {codes.PermissionDenied, false}, {codes.Internal, false}, {codes.ResourceExhausted, false}} {
		t.Run(tt.code.String(), func(t *testing.T) {
			leakCheck(t)
			var calls atomic.Int64
			b := healthy(t, checked{check: func(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
				calls.Add(1)
				return nil, status.Error(tt.code, "said so")
			}})
			err := (fairgrpc.Prober{}).Probe(within(t), nodeAt(b.addr))
			if (err == nil) != tt.passes || err != nil && status.Code(err) != tt.code {
				t.Errorf("error is %v", err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d calls for one probe", n)
			}
		})
	}
}

// Whatever it is that hangs, a probe ends with its context, and leaves nothing
// behind.
func TestProbeEndsWithItsContext(t *testing.T) {
	_, pool := identity(t, "orders")
	for _, tt := range []struct {
		name    string
		options []grpc.DialOption
	}{{"plaintext", nil}, {"TLS", []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool}))}}} {
		t.Run("a silent server, "+tt.name, func(t *testing.T) {
			leakCheck(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithCancel(within(t))
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- fairgrpc.Prober{Options: tt.options}.Probe(ctx, nodeAt(l.Addr().String())) }()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Read(make([]byte, 1)) // it has begun to talk
			cancel()
			if err := <-ended; status.Code(err) != codes.Canceled {
				t.Errorf("error is %v", err)
			}
			conn.SetReadDeadline(time.Now().Add(limit))
			for _, err := conn.Read(make([]byte, 512)); err == nil; _, err = conn.Read(make([]byte, 512)) {
			}
			if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is left open")
			}
		})
	}
	t.Run("the answer", func(t *testing.T) {
		leakCheck(t)
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		b := healthy(t, checked{check: func(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if err := (fairgrpc.Prober{}).Probe(ctx, nodeAt(b.addr)); status.Code(err) != codes.Canceled {
			t.Errorf("error is %v", err)
		}
	})
}

func TestProberOfWhomCannotBeReached(t *testing.T) {
	leakCheck(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := (fairgrpc.Prober{}).Probe(within(t), nodeAt(l.Addr().String())); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: error is %v", err)
	}
	other := balancer.NewNode(discovery.Instance{ID: "a", Service: "orders", Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: l.Addr().String()}}}, 0)
	if err := (fairgrpc.Prober{}).Probe(within(t), other); !errors.Is(err, balancer.ErrUnprobed) {
		t.Errorf("it does not speak gRPC: error is %v", err)
	}
}

func TestProberValidate(t *testing.T) {
	leakCheck(t)
	if err := (fairgrpc.Prober{}).Validate(); err != nil {
		t.Error(err)
	}
	bad := fairgrpc.Prober{Options: []grpc.DialOption{grpc.WithDefaultServiceConfig("{")}}
	if field, ok := errors.AsType[*discovery.FieldError](bad.Validate()); !ok || field.Field != "Prober.Options" {
		t.Errorf("error is %v", bad.Validate())
	}
	if err := bad.Probe(within(t), nodeAt("127.0.0.1:1")); err == nil {
		t.Error("bad options are no error")
	}
}

// Nobody is connected to who may not be called, whatever a name has become, and
// no dialer of the options' changes that.
func TestProberObeysTheAddressPolicy(t *testing.T) {
	var dialer net.Dialer
	own := grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", addr) })
	for _, options := range [][]grpc.DialOption{nil, {own}} {
		leakCheck(t)
		b := start(t, "a")
		ctx := balancer.WithSocketCheck(within(t), discovery.Reach{}.CheckSocket)
		err := fairgrpc.Prober{Options: options}.Probe(ctx, nodeAt("localhost:"+b.port()))
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), discovery.ErrForbidden.Error()) {
			t.Errorf("error is %v", err)
		}
		if n := b.reached(t); n != 0 {
			t.Errorf("%d connections were made", n)
		}
	}
}

func TestProberOverAUnixSocket(t *testing.T) {
	leakCheck(t)
	socket := filepath.Join(t.TempDir(), "s")
	b := healthy(t, health.NewServer())
	b.also(t, "unix", socket)
	if err := (fairgrpc.Prober{}).Probe(within(t), nodeAt("unix:"+socket)); err != nil {
		t.Error(err)
	}
	if n := b.accepted(); n != 0 {
		t.Errorf("%d connections over TCP", n)
	}
}

// The service is whom a probe asks for, by name and in TLS, as calls do.
func TestProberAsksForTheService(t *testing.T) {
	for _, tt := range []struct {
		name, certified string
		server          string // as the credentials say
		authority       string // as the server sees it; "": it sees nothing
	}{
		{"certified", "orders", "", "orders"},
		{"certified as somebody else", "billing", "", ""},
		{"credentials with a name of their own", "billing", "billing", "billing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leakCheck(t)
			certificate, pool := identity(t, tt.certified)
			var authority string
			b := healthy(t, checked{check: func(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				authority = md.Get(":authority")[0]
				return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
			}}, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
			creds := credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: tt.server})
			err := fairgrpc.Prober{Options: []grpc.DialOption{grpc.WithTransportCredentials(creds)}}.Probe(within(t), nodeAt(b.addr))
			if (err == nil) != (tt.authority != "") || authority != tt.authority {
				t.Errorf("error is %v, the server saw %q", err, authority)
			}
		})
	}
}

// Hundreds of probes, of all ends, leave nothing behind.
func TestProbesLeakNothing(t *testing.T) {
	leakCheck(t)
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(all)
	}
	before := open()
	t.Run("probes", func(t *testing.T) {
		fine, without, dead := healthy(t, health.NewServer()), start(t, "b"), start(t, "c")
		dead.kill()
		for range 50 {
			for _, b := range []*backend{fine, without, dead} {
				fairgrpc.Prober{}.Probe(within(t), nodeAt(b.addr))
			}
		}
	})
	eventually(t, "no descriptor is left", func() bool { return open() <= before })
}

// What one probe costs its client and the server together.
func BenchmarkProbe(b *testing.B) {
	s := start(b, "a")
	node := nodeAt(s.addr)
	for b.Loop() {
		if err := (fairgrpc.Prober{}).Probe(b.Context(), node); err != nil {
			b.Fatal(err)
		}
	}
}
