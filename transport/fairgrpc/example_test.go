package fairgrpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// instances starts two servers and returns a registry that lists them. A real
// program has a registry such as that of package discovery/etcd.
func instances() (discovery.Registry, func()) {
	var addrs []string
	var servers []*grpc.Server
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		srv := grpc.NewServer()
		healthpb.RegisterHealthServer(srv, health.NewServer())
		go func() { _ = srv.Serve(l) }()
		addrs, servers = append(addrs, l.Addr().String()), append(servers, srv)
	}
	registry, err := discovery.NewStatic(discovery.Addrs("orders", addrs...)...)
	if err != nil {
		panic(err)
	}
	return registry, func() {
		for _, srv := range servers {
			srv.Stop()
		}
	}
}

var quiet = transport.WithLogger(slog.New(slog.DiscardHandler))

func ExampleDialOptions() {
	registry, stop := instances()
	defer stop()
	mesh, err := transport.New(registry, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())

	conn, err := grpc.NewClient("mesh:///orders",
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	client := healthpb.NewHealthClient(conn) // as generated
	reply, err := client.Check(context.Background(), new(healthpb.HealthCheckRequest))
	fmt.Println(reply.GetStatus(), err)

	// What may be executed twice is tried on another instance when a
	// connection breaks. A proto file can say so once, for all calls.
	ctx := transport.WithCall(context.Background(), transport.Idempotent(true))
	_, err = client.Check(ctx, &healthpb.HealthCheckRequest{Service: "unknown"})
	fmt.Println(status.Code(err) == codes.NotFound) // the server's own answer
	// Output:
	// SERVING <nil>
	// true
}

// A call to a service that is scaled to zero waits for its first instance, if
// it is told to and as long as it has time.
func ExampleDialOptions_waitForReady() {
	registry := new(discovery.Memory) // nobody
	mesh, err := transport.New(registry, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())
	conn, err := grpc.NewClient("mesh:///orders",
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := grpc.NewServer()
	healthpb.RegisterHealthServer(srv, health.NewServer())
	defer srv.Stop()
	time.AfterFunc(time.Millisecond, func() { // somebody scales it up
		go func() { _ = srv.Serve(l) }()
		_, _ = registry.Register(context.Background(), discovery.Addrs("orders", l.Addr().String())[0])
	})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = transport.WithCall(ctx, transport.WaitForReady(true))
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, new(healthpb.HealthCheckRequest))
	fmt.Println(reply.GetStatus(), err)
	// Output: SERVING <nil>
}

func ExampleResolver() {
	registry, stop := instances()
	defer stop()
	mesh, err := transport.New(registry, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())
	resolver.Register(fairgrpc.Resolver(mesh)) // before anybody dials

	// Somewhere in a library that takes a target and nothing else:
	conn, err := grpc.NewClient("mesh:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	reply, err := healthpb.NewHealthClient(conn).Check(context.Background(), new(healthpb.HealthCheckRequest))
	fmt.Println(reply.GetStatus(), err)
	// Output: SERVING <nil>
}

func ExampleServe() {
	mesh, err := transport.New(new(discovery.Memory), quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())

	srv := grpc.NewServer()
	healthpb.RegisterHealthServer(srv, health.NewServer())
	ctx, stop := context.WithCancel(context.Background()) // SIGTERM ends Serve as well
	defer stop()
	served := make(chan error)
	go func() {
		served <- fairgrpc.Serve(ctx, mesh, srv, "127.0.0.1:0", discovery.Instance{Service: "orders", Version: "v1"})
	}()

	conn, err := grpc.NewClient("mesh:///orders",
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	reply, err := healthpb.NewHealthClient(conn).Check(context.Background(), new(healthpb.HealthCheckRequest), grpc.WaitForReady(true))
	fmt.Println(reply.GetStatus(), err)

	stop()
	fmt.Println(<-served)
	// Output:
	// SERVING <nil>
	// <nil>
}

// What a call carries as baggage goes along to the services that its handler
// calls: the handler's context has it, and clients of DialOptions send it on.
func ExampleServerOptions() {
	handler := func(ctx context.Context, _ any) (any, error) {
		lane, _ := transport.BaggageOf(ctx, "lane")
		fmt.Println("in lane", lane)
		return new(healthpb.HealthCheckResponse), nil
	}
	options := append(fairgrpc.ServerOptions(),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
			return handler(ctx, req) // in the place of a service of your own
		}))
	srv := grpc.NewServer(options...)
	healthpb.RegisterHealthServer(srv, health.NewServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = srv.Serve(l) }()
	defer srv.Stop()

	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "baggage", "lane=blue")
	_, err = healthpb.NewHealthClient(conn).Check(ctx, new(healthpb.HealthCheckRequest))
	fmt.Println(err)
	// Output:
	// in lane blue
	// <nil>
}

func ExampleServer() {
	mesh, err := transport.New(new(discovery.Memory), quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := fairgrpc.Server(grpc.NewServer(), l)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // this one leaves as soon as it came
	err = transport.Serve(ctx, mesh, discovery.Instance{Service: "orders"}, transport.ServeConfig{
		Ready: func(context.Context) error { return nil },
	}, server)
	fmt.Println(server.Endpoint().Protocol, err)
	// Output: grpc <nil>
}

// Instances are asked by gRPC's health protocol how they are, beside the calls
// they get.
func ExampleProber() {
	registry, stop := instances()
	defer stop()
	mesh, err := transport.New(registry, quiet, transport.WithHealthCheck(
		balancer.HealthCheck{Interval: 100 * time.Millisecond},
		fairgrpc.Prober{Options: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}},
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())

	if _, err := mesh.Views(context.Background(), "orders"); err != nil { // or a call: the service is in use
		fmt.Println(err)
		return
	}
	for range time.Tick(time.Millisecond) {
		if d := mesh.Dump().Services[0]; d.Health.Probes.Passed >= 2 {
			fmt.Println("unwell:", d.Health.Unwell)
			break
		}
	}
	// Output: unwell: 0
}
