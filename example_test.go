package fairlead_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// A service over HTTP and gRPC, called through both doors of one mesh. The
// registry is a list in memory here; with etcd only its constructor changes.
func Example() {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s of %s", r.Method, r.URL.Path, r.Host)
	}))
	defer web.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	defer server.Stop()

	registry, err := discovery.NewStatic(discovery.Instance{
		ID: "a", Service: "orders", Addr: listener.Addr().String(),
		Endpoints: []discovery.Endpoint{
			{Protocol: discovery.HTTP, Addr: web.Listener.Addr().String()},
			{Protocol: discovery.GRPC, Addr: listener.Addr().String()},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mesh, err := transport.New(registry)
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())

	client := &http.Client{}
	client.Transport = fairhttp.New(mesh, client.Transport)
	response, err := client.Get("mesh://orders/42")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	fmt.Println(string(body))

	conn, err := grpc.NewClient("mesh:///orders",
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(answer.GetStatus(), err)
	// Output:
	// GET /42 of orders
	// SERVING <nil>
}

// The functions below hold the snippets of the README. They are compiled here;
// the quickstart runs the same code against a real etcd.

func Example_http() {
	_ = func(client *http.Client) error {
		mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}}})
		if err != nil {
			return err
		}
		defer mesh.Close(context.Background())

		client.Transport = fairhttp.New(mesh, client.Transport) // the one line
		return nil
	}
}

func Example_grpc() {
	_ = func(mesh *transport.Mesh) error {
		conn, err := grpc.NewClient("mesh:///orders", // instead of the address
			append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func Example_server() {
	_ = func(ctx context.Context, mesh *transport.Mesh, handler http.Handler) error {
		server := &http.Server{Addr: ":8080", Handler: handler}
		return fairhttp.Serve(ctx, mesh, server, discovery.Instance{Service: "orders", Version: "v1"})
	}
}

func Example_admission() {
	_ = func(ctx context.Context, mesh *transport.Mesh, mux http.Handler) error {
		admission, err := mesh.Admission("orders", transport.AdmissionConfig{})
		if err != nil {
			return err
		}
		server := &http.Server{Addr: ":8080", Handler: fairhttp.Handler(mux, fairhttp.Admit(admission))} // the one line
		return fairhttp.Serve(ctx, mesh, server, discovery.Instance{Service: "orders"})
	}
}

func Example_call() {
	_ = func(ctx context.Context) context.Context {
		ctx = transport.WithCall(ctx, transport.Key("user-42"), transport.Idempotent(true))
		return ctx
	}
}

func Example_fixed() {
	_ = func() error {
		fixed, err := fairhttp.Fixed{Host: "api.example.com", Breaker: &breaker.Config{}}.Transport(nil)
		if err != nil {
			return err
		}
		defer fixed.Close()
		client := &http.Client{Transport: fixed}
		_, err = client.Get("https://api.example.com/v1/orders")
		return err
	}
}

func Example_error() {
	_ = func(err error) {
		if e, ok := errors.AsType[*transport.Error](err); ok {
			log.Printf("%s failed at stage %q after %d attempts, last at %s, maybe executed: %v", e.Service, e.Stage, e.Attempts, e.Instance, e.MaybeExecuted)
		}
	}
}

func Example_balancing() {
	registry := etcd.Config{Client: clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}}}
	_ = func() error {
		mesh, err := transport.Open(registry,
			transport.WithLocality("eu-1", "eu-1a"),       // calls stay in the zone as long as it does well
			transport.WithPolicy(balancer.LeastRequest{}), // or RoundRobin, Prequal, Maglev, ...
			transport.WithHealthCheck(balancer.HealthCheck{}, fairhttp.Prober{Path: "/healthz"}))
		if err != nil {
			return err
		}
		return mesh.Close(context.Background())
	}
}

func Example_rules() {
	registry := etcd.Config{Client: clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}}}
	policy := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Timeout: rule.Duration(800 * time.Millisecond),
	}}
	_ = func() error {
		source, err := rule.Static(policy)
		if err != nil {
			return err
		}
		mesh, err := transport.Open(registry, transport.WithRules(source))
		if err != nil {
			return err
		}
		return mesh.Close(context.Background())
	}
}
