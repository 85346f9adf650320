package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// What a target may look like. A bad one says which and what is allowed, when
// the channel is built and to whoever calls.
func TestTarget(t *testing.T) {
	for _, tt := range []struct {
		target string
		want   string // in the error; empty: a good target
	}{
		{"mesh:///orders", ""},
		{"mesh:orders", ""},
		{"MESH:///orders", ""},
		{"mesh:///eu.orders", ""},
		{"mesh://orders", "three slashes"},
		{"mesh://eu/orders", "there are no named meshes"},
		{"mesh:///Orders", `service "Orders" is invalid`},
		{"mesh:///", `service "" is invalid`},
		{"mesh:///orders/v1", `service "orders/v1" is invalid`},
		{"mesh:///10.0.0.1", `service "10.0.0.1" is invalid`},
	} {
		t.Run(tt.target, func(t *testing.T) {
			w := newWorld(t)
			a := start(t, "a")
			for _, service := range []string{"orders", "eu.orders"} {
				w.register(discovery.Instance{ID: "a", Service: service, Addr: a.addr})
			}
			u, err := url.Parse(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			r, err := fairgrpc.Resolver(w.mesh).Build(resolver.Target{URL: *u}, &channel{}, resolver.BuildOptions{})
			if err == nil {
				r.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build says %v, want %q", err, tt.want)
			}

			_, err = call(within(t), dial(t, tt.target, w.dialOptions()...), get, "")
			if tt.want == "" {
				if err != nil || len(w.mesh.Dump().Services) != 1 {
					t.Errorf("a call says %v; governed: %d services", err, len(w.mesh.Dump().Services))
				}
			} else if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "is invalid") {
				t.Errorf("a call says %v", err)
			}
		})
	}
}

// channel is a channel as a resolver sees it. It notices callers that come at
// the same time or too late.
type channel struct {
	inside, clashes atomic.Int32
	closed          atomic.Bool
	mu              sync.Mutex // guards what follows
	states          []resolver.State
	errs            []error
}

// enter takes its time, so that whoever may come at the same time does.
func (c *channel) enter() func() {
	if c.inside.Add(1) > 1 || c.closed.Load() {
		c.clashes.Add(1)
	}
	for range 200 {
		runtime.Gosched()
	}
	return func() { c.inside.Add(-1) }
}

func (c *channel) UpdateState(s resolver.State) error {
	defer c.enter()()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states = append(c.states, s)
	return nil
}

func (c *channel) ReportError(err error) {
	defer c.enter()()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

func (c *channel) NewAddress([]resolver.Address) {}
func (c *channel) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return new(serviceconfig.ParseResult)
}

func (c *channel) updates() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.states)
}

func (c *channel) last() resolver.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.states) == 0 {
		return resolver.State{}
	}
	return c.states[len(c.states)-1]
}

// resolve builds a resolver for mesh:///orders over a channel double.
func (w *world) resolve(c *channel) resolver.Resolver {
	w.tb.Helper()
	r, err := fairgrpc.Resolver(w.mesh).Build(resolver.Target{URL: url.URL{Scheme: "mesh", Path: "/orders"}}, c, resolver.BuildOptions{})
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// G9 and trap 33: the channel is told by one goroutine, whatever happens, and
// by none after Close.
func TestG9Trap33ChannelIsToldByOneGoroutine(t *testing.T) {
	w := newWorld(t, transport.WithProtection(balancer.Protection{Off: true})) // the last to leave may be held
	c := new(channel)
	r := w.resolve(c)
	var others sync.WaitGroup
	for i := range 4 {
		others.Go(func() {
			for range 50 {
				x := w.register(discovery.Instance{ID: string(rune('a' + i)), Service: "orders", Addr: "10.0.0.1:80"})
				r.ResolveNow(resolver.ResolveNowOptions{})
				_ = x.Close(context.Background())
			}
		})
	}
	others.Wait()
	w.register(discovery.Instance{ID: "last", Service: "orders", Addr: "10.0.0.2:80"})
	eventually(t, "the last list arrives", func() bool { return len(c.last().Endpoints) == 1 })
	r.Close()
	for i := range 100 { // sooner or later Close comes in the middle of an update
		r := w.resolve(c)
		w.register(discovery.Instance{ID: fmt.Sprint("later", i), Service: "orders", Addr: fmt.Sprintf("10.0.1.%d:80", i)})
		runtime.Gosched()
		r.Close()
		if c.inside.Load() > 0 {
			c.clashes.Add(1)
		}
	}
	c.closed.Store(true)
	w.register(discovery.Instance{ID: "never", Service: "orders", Addr: "10.0.0.3:80"})
	if got := c.clashes.Load(); got != 0 {
		t.Errorf("%d calls at the same time as another, or after Close", got)
	}
}

// G10: ResolveNow, which comes with every lost connection, is a hint and costs
// nothing.
func TestG10ResolveNowIsFree(t *testing.T) {
	w := newWorld(t)
	c := new(channel)
	r := w.resolve(c)
	defer r.Close()
	w.register(discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.1:80"})
	eventually(t, "the list arrives", func() bool { return len(c.last().Endpoints) == 1 })
	before := c.updates()
	for range 1000 {
		r.ResolveNow(resolver.ResolveNowOptions{})
	}
	w.register(discovery.Instance{ID: "b", Service: "orders", Addr: "10.0.0.2:80"})
	eventually(t, "the next list arrives", func() bool { return len(c.last().Endpoints) == 2 })
	if got := c.updates(); got != before+1 {
		t.Errorf("%d updates for one change", got-before)
	}
}

// G8 and trap 33, zero addresses: trouble of the registry never empties the
// list of a channel.
func TestG8Trap33RegistryTroubleKeepsTheList(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	w.announce(a)
	conn := w.dial()
	mustCall(t, conn, get, "")
	w.registry.Fail(errors.New("registry died"))
	eventually(t, "the trouble is known", func() bool { return w.mesh.Dump().Services[0].Trouble != "" })
	for range 20 {
		mustCall(t, conn, get, "")
	}
	// A channel that is new, too.
	mustCall(t, w.dial(), get, "")
	if got := a.accepted(); got != 2 {
		t.Errorf("%d connections, want one for each channel", got)
	}
}

// With a registry that cannot be reached and no list, calls fail at once and
// say why; those that wait until ready wait for it to come back, whatever
// status its error may happen to carry (G1).
func TestNoListAtAll(t *testing.T) {
	for _, trouble := range []error{errors.New("registry died"), status.Error(codes.NotFound, "registry died")} {
		for _, tt := range []struct {
			name string
			dial func(w *world) *grpc.ClientConn
		}{
			{"DialOptions", func(w *world) *grpc.ClientConn { return w.dial() }},
			{"Resolver", func(w *world) *grpc.ClientConn {
				return dial(t, "mesh:///orders", grpc.WithResolvers(fairgrpc.Resolver(w.mesh)))
			}},
		} {
			t.Run(tt.name+"/"+status.Code(trouble).String(), func(t *testing.T) {
				w := newWorld(t)
				a := start(t, "a")
				w.registry.Fail(trouble)
				conn := tt.dial(w)
				defer conn.Close()
				_, err := call(within(t), conn, get, "")
				if own, ok := errors.AsType[*transport.Error](err); tt.name == "DialOptions" && (!ok || !errors.Is(own, balancer.ErrNoInstances) || !errors.Is(own, trouble)) {
					t.Errorf("error is not typed: %v", err)
				}
				if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "registry died") {
					t.Errorf("error is %v", err)
				}
				waiting := make(chan error, 1)
				go func() {
					_, err := call(within(t), conn, get, "", grpc.WaitForReady(true))
					waiting <- err
				}()
				w.announce(a)
				w.registry.Heal()
				if err := <-waiting; err != nil {
					t.Errorf("the call that waited: %v", err)
				}
			})
		}
	}
}

// A mesh that was closed does not come back: nobody waits for it.
func TestClosedMeshEndsCallsThatWait(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts func(*world) []grpc.DialOption
	}{
		{"DialOptions", (*world).dialOptions},
		{"Resolver", func(w *world) []grpc.DialOption {
			return []grpc.DialOption{grpc.WithResolvers(fairgrpc.Resolver(w.mesh))}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if err := w.mesh.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := call(within(t), dial(t, "mesh:///orders", tt.opts(w)...), get, "", grpc.WaitForReady(true))
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), transport.ErrClosed.Error()) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A channel that outlives its mesh keeps what it has, and is told.
func TestMeshClosedBelowAChannel(t *testing.T) {
	w := newWorld(t)
	c := new(channel)
	r := w.resolve(c)
	defer r.Close()
	w.register(discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.1:80"})
	eventually(t, "the list arrives", func() bool { return len(c.last().Endpoints) == 1 })
	if err := w.mesh.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the channel is told", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.errs) > 0 && strings.Contains(c.errs[len(c.errs)-1].Error(), transport.ErrClosed.Error())
	})
	if got := len(c.last().Endpoints); got != 1 {
		t.Errorf("the channel has %d endpoints left", got)
	}
}

// G6: connections of instances that stay are kept, whatever else changes, and
// what does not matter to a channel does not reach it.
func TestG6ConnectionsAreKeptAcrossUpdates(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	ra := w.register(discovery.Instance{ID: "a", Service: "orders", Addr: a.addr})
	conn := w.dial()
	c := new(channel)
	r := w.resolve(c)
	defer r.Close()
	mustCall(t, conn, get, "")
	for weight := 1; weight <= 10; weight++ {
		if err := ra.Update(discovery.Instance{ID: "a", Service: "orders", Addr: a.addr, Weight: weight, Version: "v2"}); err != nil {
			t.Fatal(err)
		}
		rb := w.register(discovery.Instance{ID: "b", Service: "orders", Addr: b.addr})
		mustCall(t, conn, get, "")
		withdraw(t, rb)
		mustCall(t, conn, get, "")
	}
	if got := a.accepted(); got != 1 {
		t.Errorf("%d connections to an instance that stayed", got)
	}

	// Once the channel has heard of another one, it has heard of all before.
	w.register(discovery.Instance{ID: "z", Service: "orders", Addr: "10.0.0.9:80"})
	eventually(t, "the lists have arrived", func() bool {
		e := c.last().Endpoints
		return len(e) == 2 && e[1].Addresses[0].Addr == "10.0.0.9:80"
	})
	before := c.updates()
	for weight := 11; weight <= 30; weight++ {
		if err := ra.Update(discovery.Instance{ID: "a", Service: "orders", Addr: a.addr, Weight: weight}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the weight is known", func() bool { return w.node("a").Weight == weight })
	}
	w.announce(b)
	eventually(t, "the next list arrives", func() bool { return len(c.last().Endpoints) == 3 })
	if got := c.updates(); got != before+1 {
		t.Errorf("%d updates for one change of who is there", got-before)
	}
}

// G5 and G6: an endpoint has one address, and nothing that changes is part of
// it.
func TestG5EndpointsHaveOneBareAddress(t *testing.T) {
	w := newWorld(t)
	c := new(channel)
	r := w.resolve(c)
	defer r.Close()
	w.register(discovery.Instance{ID: "a", Service: "orders", Endpoints: []discovery.Endpoint{
		{Protocol: discovery.HTTP, Addr: "10.0.0.1:80"}, {Protocol: discovery.GRPC, Addr: "10.0.0.1:81"}, {Protocol: discovery.GRPC, Addr: "10.0.0.1:82"}}})
	w.register(discovery.Instance{ID: "b", Service: "orders", Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.2:80"}}})
	w.register(discovery.Instance{ID: "c", Service: "orders", Addr: "10.0.0.3:80"})
	eventually(t, "the list arrives", func() bool { return len(c.last().Endpoints) == 2 })
	for i, want := range []string{"10.0.0.1:81", "10.0.0.3:80"} {
		e := c.last().Endpoints[i]
		if len(e.Addresses) != 1 || e.Addresses[0].Addr != want || e.Addresses[0].ServerName != "" {
			t.Errorf("endpoint %d is %v, want %s alone", i, e.Addresses, want)
		}
	}

	// The mark for the dialer is the same for the next resolver.
	next := new(channel)
	again := w.resolve(next)
	defer again.Close()
	eventually(t, "the list arrives again", func() bool { return len(next.last().Endpoints) == 2 })
	for i, e := range next.last().Endpoints {
		if was := c.last().Endpoints[i].Addresses[0]; !e.Addresses[0].Equal(was) {
			t.Errorf("address %v of the next resolver is not the %v of the last", e.Addresses[0], was)
		}
	}
}

// Two runs of an instance at one address, of which the earlier one's record is
// not gone yet, are one connection, and each can be chosen.
func TestRestartBeforeTheOldRecordIsGone(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	old := w.register(discovery.Instance{ID: "run1", Service: "orders", Addr: a.addr})
	conn := w.dial()
	mustCall(t, conn, get, "")
	now := w.register(discovery.Instance{ID: "run2", Service: "orders", Addr: a.addr})
	mustCall(t, conn, get, "")
	if err := old.Drain(t.Context()); err != nil { // from here on run2 alone is eligible
		t.Fatal(err)
	}
	for range 10 {
		mustCall(t, conn, get, "")
	}
	withdraw(t, old)
	mustCall(t, conn, get, "")
	withdraw(t, now)
	if got := a.accepted(); got != 1 {
		t.Errorf("%d connections to one address", got)
	}
}

// Unix endpoints are dialled where the mesh allows them, and TLS or not, the
// service is the authority.
func TestUnixEndpoint(t *testing.T) {
	dir, err := os.MkdirTemp("", "fairgrpc")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := newWorld(t, transport.WithReach(discovery.Reach{UnixDir: dir}))
	a := start(t, "a")
	a.unary = func(ctx context.Context, _, _ string) (string, error) {
		return strings.Join(incoming(ctx, ":authority"), ","), nil
	}
	socket := filepath.Join(dir, "a.sock")
	a.also(t, "unix", socket)
	w.register(discovery.Instance{ID: "a", Service: "orders", Addr: "127.0.0.1:1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: "unix:" + socket}}})
	if got := mustCall(t, w.dial(), get, ""); got != "orders" {
		t.Errorf("authority is %q", got)
	}
	if a.accepted() != 0 {
		t.Error("the call did not go through the socket")
	}
}

// counting counts the watches of a registry.
type counting struct {
	discovery.Registry
	watches, ended atomic.Int64
}

// Local says what the registry inside does.
func (c *counting) Local() bool { return true }

func (c *counting) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	c.watches.Add(1)
	inner := c.Registry.Watch(ctx, service)
	return func(yield func(discovery.Snapshot, error) bool) {
		defer c.ended.Add(1)
		inner(yield)
	}
}

// G25 and trap 33, a watch leaked at each rebuild: a channel that falls idle
// drops its resolver and its balancer, and builds them again with the next
// call. Nothing is left behind, the mesh's one watch goes on, and the
// instances' history is still there.
func TestG25Trap33IdleAndRebuild(t *testing.T) {
	leakCheck(t)
	registry := new(discovery.Memory)
	counted := &counting{Registry: registry}
	w := &world{tb: t, registry: registry, mesh: newMesh(t, counted)}
	a := start(t, "a")
	w.announce(a)
	conn := w.dial(grpc.WithIdleTimeout(time.Second))
	plain := dial(t, "mesh:///orders", grpc.WithResolvers(fairgrpc.Resolver(w.mesh)), grpc.WithIdleTimeout(time.Second))
	var goroutines int
	for round := range 4 {
		mustCall(t, conn, get, "")
		mustCall(t, plain, get, "")
		if got := a.accepted(); got != 2*(round+1) {
			t.Fatalf("round %d: %d connections", round, got)
		}
		if w.node("a").Stats.Latency == 0 {
			t.Errorf("round %d: the instance has no history", round)
		}
		eventually(t, "both channels are idle", func() bool {
			return conn.GetState().String() == "IDLE" && plain.GetState().String() == "IDLE"
		})
		now := settled(t)
		if round == 0 {
			goroutines = now
		} else if now > goroutines {
			t.Fatalf("round %d: %d goroutines while idle, %d after the first", round, now, goroutines)
		}
	}
	if got := counted.watches.Load(); got != 1 {
		t.Errorf("%d watches of one service", got)
	}
}

// Two meshes in one process do not know of each other, not even when a call of
// one is made on the way of a call of the other.
func TestTwoMeshes(t *testing.T) {
	w1, registry := newWorld(t), new(discovery.Memory)
	w2 := &world{tb: t, registry: registry, mesh: newMesh(t, registry)}
	a, b := start(t, "a"), start(t, "b")
	w1.announce(a)
	w2.announce(b)
	inner := dial(t, "mesh:///orders", grpc.WithResolvers(fairgrpc.Resolver(w2.mesh)))
	outer := w1.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if out, err := call(ctx, inner, add, "for a token"); err != nil || out != "b:for a token" {
			t.Errorf("inner call: %q %v", out, err)
		}
		return next(ctx, method, req, reply, cc, opts...)
	}))
	for range 10 {
		if got := mustCall(t, outer, get, "x"); got != "a:x" {
			t.Errorf("outer call: %q", got)
		}
	}
	for name, w := range map[string]*world{"outer": w1, "inner": w2} {
		if got := w.attempts()["success"]; got != 10 {
			t.Errorf("%s mesh counts %d attempts", name, got)
		}
	}
}
