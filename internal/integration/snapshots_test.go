package integration_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// consumer is a program that calls orders over HTTP and stock over gRPC and
// keeps their lists on disk.
type consumer struct {
	mesh        *transport.Mesh
	constructed time.Time
	orders      *http.Client
	stock       healthpb.HealthClient
}

func newConsumer(t *testing.T, endpoint, dir string) *consumer {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	mesh, err := transport.Open(config(t, endpoint), transport.WithSnapshotDir(dir), transport.WithLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	constructed := time.Now()
	conn, err := grpc.NewClient("mesh:///stock", append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	c := &consumer{mesh, constructed, &http.Client{Transport: fairhttp.New(mesh, nil)}, healthpb.NewHealthClient(conn)}
	t.Cleanup(func() {
		conn.Close()
		c.close(t)
	})
	return c
}

func (c *consumer) close(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.orders.CloseIdleConnections()
	if err := c.mesh.Close(ctx); err != nil {
		t.Error(err)
	}
}

func (c *consumer) callOrders(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://orders/", nil)
	if err != nil {
		return err
	}
	answer, err := c.orders.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func (c *consumer) callStock(ctx context.Context) error {
	_, err := c.stock.Check(ctx, &healthpb.HealthCheckRequest{})
	return err
}

// lists returns what the mesh says of its services, none of which may be
// missing.
func (c *consumer) lists(t *testing.T) []transport.ServiceDump {
	t.Helper()
	lists := c.mesh.Dump().Services
	if len(lists) != 2 || lists[0].Snapshot == nil || lists[1].Snapshot == nil {
		t.Fatalf("the mesh knows %+v", lists)
	}
	return lists
}

func (c *consumer) all(t *testing.T, is func(transport.ServiceDump) bool) bool {
	t.Helper()
	lists := c.lists(t)
	return is(lists[0]) && is(lists[1])
}

// provide runs both services and announces them.
func provide(t *testing.T, endpoint string) {
	t.Helper()
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") }))
	t.Cleanup(orders.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stock := grpc.NewServer()
	healthpb.RegisterHealthServer(stock, health.NewServer())
	go stock.Serve(l) // ended by Stop
	t.Cleanup(stock.Stop)
	provider := open(t, config(t, endpoint))
	register(t, provider, "orders", "o", orders.Listener.Addr().String())
	register(t, provider, "stock", "s", l.Addr().String())
}

// A process that starts while etcd is down serves from the list of the one
// before, at once, and goes on when etcd comes. No call fails on the way.
func TestStartWhileEtcdIsDown(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	dir := filepath.Join(t.TempDir(), "snapshots")
	provide(t, server.Endpoint())
	earlier := newConsumer(t, server.Endpoint(), dir)
	for _, call := range []func(context.Context) error{earlier.callOrders, earlier.callStock} {
		if err := call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	earlier.close(t)
	closed := time.Now()
	server.Kill()

	began := time.Now()
	c := newConsumer(t, server.Endpoint(), dir)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.callOrders(ctx); err != nil {
		t.Fatal(err)
	}
	ordered := time.Now()
	if err := c.callStock(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("constructed after %v, first HTTP call answered %v after that, the first gRPC call %v later", c.constructed.Sub(began), ordered.Sub(c.constructed), time.Since(ordered))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the first calls took %v", took)
	}
	for _, l := range c.lists(t) {
		if l.State != discovery.Stale || len(l.Instances) != 1 || !l.Snapshot.Loaded || l.Age < time.Since(closed) || l.Age > time.Since(closed)+patience {
			t.Errorf("%s: %d instances, %v for %v, file %+v", l.Service, len(l.Instances), l.State, l.Age, l.Snapshot)
		}
	}

	var calls, failed atomic.Int64
	var stopped atomic.Bool
	var callers sync.WaitGroup
	for _, call := range []func(context.Context) error{c.callOrders, c.callStock} {
		callers.Go(func() {
			for !stopped.Load() {
				calls.Add(1)
				if err := call(ctx); err != nil {
					t.Error(err)
					failed.Add(1)
				}
				during(t, 10*time.Millisecond)
			}
		})
	}
	eventually(t, "both lists show that etcd is in trouble", func() bool {
		return c.all(t, func(l transport.ServiceDump) bool { return l.Trouble != "" && l.State == discovery.Stale })
	})
	eventually(t, "calls go on", func() bool { return calls.Load() > 50 })
	server.Restart(t)
	restarted := time.Now()
	eventually(t, "both lists are live", func() bool {
		return c.all(t, func(l transport.ServiceDump) bool {
			return l.Trouble == "" && l.State == discovery.Live && len(l.Instances) == 1
		})
	})
	t.Logf("live %v after etcd was up", time.Since(restarted))
	at := calls.Load()
	eventually(t, "calls go on with the live lists", func() bool { return calls.Load() > at+50 })
	stopped.Store(true)
	callers.Wait()
	t.Logf("%d calls, %d failed", calls.Load(), failed.Load())
}

// An etcd that answers nothing and refuses nothing says no first word for
// seconds. Nobody waits for it.
func TestStartWhileEtcdIsSilent(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	dir := filepath.Join(t.TempDir(), "snapshots")
	provide(t, server.Endpoint())
	earlier := newConsumer(t, server.Endpoint(), dir)
	for _, call := range []func(context.Context) error{earlier.callOrders, earlier.callStock} {
		if err := call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	earlier.close(t)

	server.Pause(t)
	c := newConsumer(t, server.Endpoint(), dir)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.callOrders(ctx); err != nil {
		t.Fatal(err)
	}
	answered := time.Since(c.constructed)
	for _, l := range c.mesh.Dump().Services {
		if l.Service == "orders" && l.Trouble != "" {
			t.Errorf("the call was answered after %v, when etcd had been given up: %s", answered, l.Trouble)
		}
	}
	if err := c.callStock(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("first HTTP call answered %v after construction", answered)
	server.Resume(t)
	eventually(t, "both lists are live", func() bool {
		return c.all(t, func(l transport.ServiceDump) bool { return l.State == discovery.Live })
	})
}
