package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// application is a system of two services: shops, which are called over HTTP,
// call orders over gRPC. It knows of registries only what transport.Open wants.
// Each of its processes is one of its own as far as fairlead is concerned: it
// has its own mesh and its own registry.
type application struct {
	t      *testing.T
	opener transport.Opener
	client *transport.Mesh // of those who call the application
}

func newApplication(t *testing.T, opener transport.Opener) *application {
	a := &application{t: t, opener: opener}
	a.client = a.open()
	t.Cleanup(func() { a.close(a.client) })
	return a
}

func (a *application) open() *transport.Mesh {
	a.t.Helper()
	m, err := transport.Open(a.opener,
		transport.WithLogger(slog.New(slog.NewTextHandler(a.t.Output(), nil))),
		// The default may leave out the slower of two for long; here each is to
		// be called soon.
		transport.WithPolicy(balancer.LeastRequest{}),
	)
	if err != nil {
		a.t.Fatal(err)
	}
	return m
}

func (a *application) close(m *transport.Mesh) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		a.t.Errorf("closing a mesh: %v", err)
	}
}

func (a *application) dial(m *transport.Mesh) grpc_health_v1.HealthClient {
	a.t.Helper()
	conn, err := grpc.NewClient("mesh:///orders", append(fairgrpc.DialOptions(m), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

// process is one instance.
type process struct {
	mesh *transport.Mesh
	// stop ends it as a signal would, and waits. It can be called again.
	stop func()
}

// stop stops all at once.
func stop(all ...*process) {
	var leaving sync.WaitGroup
	for _, p := range all {
		leaving.Go(p.stop)
	}
	leaving.Wait()
}

// run starts a process whose main is serve.
func (a *application) run(serve func(context.Context, *transport.Mesh) error) *process {
	a.t.Helper()
	m := a.open()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, m) }() // stop waits for it
	p := &process{mesh: m, stop: sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			a.t.Errorf("an instance ended with: %v", err)
		}
		a.close(m)
	})}
	a.t.Cleanup(p.stop)
	return p
}

// shop starts an instance of shop.
func (a *application) shop(id string) *process {
	a.t.Helper()
	return a.run(func(ctx context.Context, m *transport.Mesh) error {
		orders := a.dial(m)
		return fairhttp.Serve(ctx, m, &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			order, err := check(r.Context(), orders)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			fmt.Fprint(w, id+" "+order)
		})}, discovery.Instance{Service: "shop", ID: id})
	})
}

// orders starts an instance of orders.
func (a *application) orders(id string) *process {
	a.t.Helper()
	return a.run(func(ctx context.Context, m *transport.Mesh) error {
		return fairgrpc.Serve(ctx, m, ordersServer(id), "127.0.0.1:0", discovery.Instance{Service: "orders", ID: id})
	})
}

// readyOrders starts an instance of orders that is announced while ready says
// so.
func (a *application) readyOrders(id string, ready func() bool) *process {
	a.t.Helper()
	return a.run(func(ctx context.Context, m *transport.Mesh) error {
		s, err := fairgrpc.Server(ordersServer(id), listen(a.t))
		if err != nil {
			return err
		}
		return transport.Serve(ctx, m, discovery.Instance{Service: "orders", ID: id}, transport.ServeConfig{
			ReadyInterval: 50 * time.Millisecond, AnnounceInterval: 50 * time.Millisecond,
			Ready: func(context.Context) error {
				if ready() {
					return nil
				}
				return errors.New("the database is away")
			},
		}, s)
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ordersServer answers who it is. Its method does not say that it may be
// executed twice: what was sent is not retried.
func ordersServer(id string) *grpc.Server {
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, ordersHealth{id: id})
	return s
}

type ordersHealth struct {
	grpc_health_v1.UnimplementedHealthServer
	id string
}

func (h ordersHealth) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING},
		grpc.SetHeader(ctx, metadata.Pairs("instance", h.id))
}

// check calls orders and returns which instance answered.
func check(ctx context.Context, orders grpc_health_v1.HealthClient) (instance string, err error) {
	var header metadata.MD
	if _, err := orders.Check(ctx, new(grpc_health_v1.HealthCheckRequest), grpc.Header(&header)); err != nil {
		return "", err
	}
	if id := header.Get("instance"); len(id) == 1 {
		return id[0], nil
	}
	return "", errors.New("an instance did not say who it is")
}

// load calls the application through both doors until it is stopped, in ways
// that may not be executed twice.
type load struct {
	stop func()

	mu       sync.Mutex // guards all below
	answers  map[string]int
	failures []error
}

func (a *application) load() *load {
	l := &load{answers: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	l.stop = sync.OnceFunc(func() { cancel(); callers.Wait() })
	a.t.Cleanup(l.stop)
	orders, shop := a.dial(a.client), &http.Client{Transport: fairhttp.New(a.client, nil)}
	for range 2 {
		callers.Go(func() { l.keep(ctx, func() (string, error) { return check(context.Background(), orders) }) })
		callers.Go(func() { l.keep(ctx, func() (string, error) { return buy(shop) }) })
	}
	return l
}

// buy calls shop and returns which instances answered.
func buy(shop *http.Client) (string, error) {
	r, err := shop.Post("mesh://shop/orders", "text/plain", nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, body)
	}
	return string(body), err
}

func (l *load) keep(ctx context.Context, call func() (string, error)) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		answer, err := call()
		l.mu.Lock()
		l.answers[answer]++
		if err != nil {
			l.failures = append(l.failures, err)
		}
		l.mu.Unlock()
		<-pause.C
	}
}

// answered returns how often what was answered, as "orders-1" where orders was
// called and as "shop-1 orders-1" where shop was. What was counted is forgotten.
func (l *load) answered() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := l.answers
	l.answers = map[string]int{}
	return answers
}

// unharmed fails the test if a call has failed.
func (l *load) unharmed(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.failures); n > 0 {
		t.Errorf("%d calls failed, the first with: %v", n, l.failures[0])
		l.failures = nil
	}
}
