package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// The balancer's config is an empty object, and anything else is a clear
// error. G7: its name is as written, to the case.
func TestG7NameAndConfig(t *testing.T) {
	parser := grpcbalancer.Get("fairlead").(grpcbalancer.ConfigParser)
	for _, tt := range []struct{ config, want string }{
		{`{}`, ""},
		{` { } `, ""},
		{`{"policy":"random"}`, `unknown field "policy"`},
		{`[]`, "allowed is {}"},
		{``, "allowed is {}"},
	} {
		_, err := parser.ParseConfig([]byte(tt.config))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.config, err, tt.want)
		}
	}
	if grpcbalancer.Get("Fairlead") != nil {
		t.Error("there is a balancer of another name")
	}
}

// The balancer below another resolver, as when a proxy of the environment
// stands between, says so, and goes on saying so.
func TestBalancerBelowAnotherResolver(t *testing.T) {
	leakCheck(t)
	a := start(t, "a")
	other := manual.NewBuilderWithScheme("other")
	other.InitialState(resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: a.addr}}}}})
	conn := dial(t, "other:///orders", grpc.WithResolvers(other), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"fairlead":{}}]}`))
	_, err := call(within(t), conn, get, "")
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "fairgrpc.DialOptions") {
		t.Errorf("error is %v", err)
	}
	conn.Connect()
	other.CC().ReportError(errors.New("trouble"))
	if _, err := call(within(t), conn, get, ""); status.Code(err) != codes.Unavailable {
		t.Errorf("error is %v", err)
	}
}

// G1: with nobody to call, a call fails at once or waits for the first
// instance, as it asked to; and so again when the last has gone. An empty list
// does not break what comes after it.
func TestG1ScaleToZeroAndBack(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	conn := w.dial()
	for range 3 {
		_, err := call(within(t), conn, get, "")
		if status.Code(err) != codes.Unavailable || !errors.Is(err, balancer.ErrNoInstances) {
			t.Fatalf("error is %v", err)
		}
		var waiting sync.WaitGroup
		for range 4 {
			waiting.Go(func() {
				if _, err := call(within(t), conn, get, "", grpc.WaitForReady(true)); err != nil {
					t.Errorf("a call that waited: %v", err)
				}
			})
		}
		r := w.register(discovery.Instance{ID: "a", Service: "orders", Addr: a.addr})
		waiting.Wait()
		mustCall(t, conn, get, "")
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the mesh has heard that it drains", func() bool { return w.mesh.Dump().Services[0].Instances[0].Draining })
		withdraw(t, r)
		eventually(t, "the mesh has heard that it is gone", func() bool { return len(w.mesh.Dump().Services[0].Instances) == 0 })
	}
}

// G1: with instances of which none can be connected to, a call fails with the
// last connection error or waits, as it asked to.
func TestG1NobodyCanBeConnectedTo(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	addr := a.addr
	a.kill()
	w.announce(a)
	conn := w.dial()
	_, err := call(within(t), conn, get, "")
	own, ok := errors.AsType[*transport.Error](err)
	if !ok || status.Code(err) != codes.Unavailable || own.Stage != transport.StagePick || !errors.Is(err, transport.ErrNotReady) || own.MaybeExecuted {
		t.Fatalf("error is %#v (%v)", own, err)
	}
	if !strings.Contains(err.Error(), "connection refused") || own.Instance != "a" {
		t.Errorf("the error does not say why: %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := call(within(t), conn, get, "", grpc.WaitForReady(true))
		waiting <- err
	}()
	a.listen(t, addr)
	if err := <-waiting; err != nil {
		t.Errorf("the call that waited: %v", err)
	}
}

// An instance that restarts at its address is called again, although its
// record never changed.
func TestRestartAtTheSameAddress(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	w.announce(a, b)
	conn := w.dial()
	warm(t, conn, a, b)
	addr := a.addr
	a.kill()
	for range 50 {
		mustCall(t, conn, get, "")
	}
	a.listen(t, addr)
	warm(t, conn, a, b)
}

// An instance that could not be reached for long is tried every few seconds,
// not every two minutes as gRPC would by itself.
func TestReconnectBackoffIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{tb: t, registry: new(discovery.Memory)}
		w.mesh = newMesh(t, w.registry)
		w.register(discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.1:80"})
		var mu sync.Mutex
		var dials []time.Time
		conn := w.dial(grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dials = append(dials, time.Now())
			return nil, errors.New("host is down")
		}))
		conn.Connect()
		time.Sleep(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for i := 1; i < len(dials); i++ {
			if gap := dials[i].Sub(dials[i-1]); gap > 4*time.Second {
				t.Fatalf("%v between dials %d and %d", gap, i-1, i)
			}
		}
		if n := len(dials); n < 100 {
			t.Errorf("%d dials in ten minutes", n)
		}
	})
}

// G4: a connection that the server ended is made again without waiting for a
// call.
func TestG4LostConnectionsAreMadeAgain(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	w.announce(a)
	conn := w.dial()
	mustCall(t, conn, get, "")
	for n := 2; n <= 4; n++ {
		a.cut()
		eventually(t, "it is connected again", func() bool { return a.accepted() == n && conn.GetState() == connectivity.Ready })
	}
}

// G19: an instance that accepts connections and never says anything does not
// eat the time of calls that others can answer.
func TestG19ConnectingInstanceIsPassedOver(t *testing.T) {
	w := newWorld(t, transport.WithPolicy(balancer.RoundRobin{}))
	mute, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	w.register(discovery.Instance{ID: "mute", Service: "orders", Addr: mute.Addr().String()})
	conn := w.dial()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = call(ctx, conn, get, "")
	if own, ok := errors.AsType[*transport.Error](err); !ok || status.Code(err) != codes.DeadlineExceeded || own.Class != transport.Timeout || own.MaybeExecuted {
		t.Errorf("with nobody else: %#v (%v)", own, err)
	}
	a := start(t, "a")
	w.announce(a)
	for range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		_, err := call(ctx, conn, get, "")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// G22: gRPC's client-side health checks work through the balancer where a
// service config asks for them, and a server that does not know them counts as
// healthy.
func TestG22HealthChecks(t *testing.T) {
	w := newWorld(t)
	sick, plain := start(t, "sick"), start(t, "plain")
	checks := health.NewServer()
	checks.SetServingStatus("orders", healthpb.HealthCheckResponse_NOT_SERVING)
	sick.kill()
	sick.extra = func(srv *grpc.Server) { healthpb.RegisterHealthServer(srv, checks) }
	sick.listen(t, sick.addr)
	w.announce(sick, plain)
	conn := w.dial(grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig(
		`{"loadBalancingConfig":[{"fairlead":{}}],"healthCheckConfig":{"serviceName":"orders"}}`))
	for range 40 {
		mustCall(t, conn, get, "")
	}
	if got := sick.executed.Load(); got != 0 {
		t.Errorf("the unhealthy instance was called %d times", got)
	}
	checks.SetServingStatus("orders", healthpb.HealthCheckResponse_SERVING)
	warm(t, conn, sick, plain)
}

// Trap 28, memory loss at every membership change: what is known of an
// instance, and what is outstanding at it, belongs to the instance.
func TestTrap28HistorySurvivesMembershipChange(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	w.announce(a)
	conn := w.dial()
	mustCall(t, conn, get, "")
	latency := w.node("a").Stats.Latency
	s, err := open(within(t), conn, chat)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		b := start(t, fmt.Sprint("b", i))
		r := w.register(discovery.Instance{ID: b.id, Service: "orders", Addr: b.addr})
		eventually(t, "the new instance is called", func() bool {
			mustCall(t, conn, get, "")
			return b.executed.Load() > 0
		})
		if got := w.node("a").Stats; got.Outstanding != 1 || got.Latency == 0 {
			t.Fatalf("after %d changes: %+v", i+1, got)
		}
		withdraw(t, r)
	}
	_ = s.CloseSend()
	_ = s.RecvMsg(new(wrapperspb.StringValue))
	if got := w.node("a").Stats; got.Outstanding != 0 {
		t.Errorf("%+v, latency was %v before", got, latency)
	}
}

// Trap 29, a cold node looks best: an instance of which nothing is known, and
// which never answers, does not draw the calls of those that do.
func TestTrap29ColdInstanceDrawsNoCrowd(t *testing.T) {
	w := newWorld(t, transport.WithPolicy(balancer.P2CEWMA{}))
	var warmed []*backend
	for i := range 4 {
		warmed = append(warmed, start(t, fmt.Sprint("warm", i)))
	}
	w.announce(warmed...)
	conn := w.dial()
	warm(t, conn, warmed...)

	cold := start(t, "cold")
	release := make(chan struct{})
	cold.unary = func(context.Context, string, string) (string, error) {
		<-release
		return "", nil
	}
	w.announce(cold)
	var calls sync.WaitGroup
	var answered atomic.Int64
	begin := func() {
		calls.Go(func() {
			if out, _ := call(within(t), conn, get, ""); out != "" {
				answered.Add(1)
			}
		})
	}
	eventually(t, "the cold instance has its first call", func() bool { begin(); return cold.executed.Load() > 0 })
	before := cold.executed.Load()
	for range 30 {
		seen := answered.Load() + cold.executed.Load()
		for range 10 {
			begin()
		}
		eventually(t, "the others have answered", func() bool { return answered.Load()+cold.executed.Load() >= seen+10 })
	}
	got := cold.executed.Load() - before
	close(release)
	calls.Wait()
	if got > 30 { // a fair share would be 60
		t.Errorf("the cold instance took %d of 300 calls", got)
	}
}

// The last connection goes with its instance, and instances that drain are
// passed over while there are others.
func TestDrainingInstanceIsPassedOver(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	ra := w.register(discovery.Instance{ID: "a", Service: "orders", Addr: a.addr})
	w.announce(b)
	conn := w.dial()
	warm(t, conn, a, b)
	if err := ra.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mesh knows", func() bool { return w.node("a").Draining })
	for range 40 {
		mustCall(t, conn, get, "")
	}
	if got := a.executed.Load(); got != 0 {
		t.Errorf("the draining instance was called %d times", got)
	}
	if ids := []string{w.node("a").ID, w.node("b").ID}; !slices.Equal(ids, []string{"a", "b"}) {
		t.Error(ids)
	}
}
