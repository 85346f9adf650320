package fairgrpc_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// answering is a service of one method, in the place of one of your own.
type answering struct {
	healthpb.UnimplementedHealthServer
	check func(ctx context.Context) (*healthpb.HealthCheckResponse, error)
}

func (a answering) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return a.check(ctx)
}

// serve starts n servers of service "orders" whose only method is check.
func serve(n int, check func(ctx context.Context) (*healthpb.HealthCheckResponse, error)) (discovery.Registry, func()) {
	var addrs []string
	var servers []*grpc.Server
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		srv := grpc.NewServer()
		healthpb.RegisterHealthServer(srv, answering{check: check})
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

// A caller gets what is known by heart where the service fails.
func ExampleWithFallback() {
	registry, stop := serve(1, func(context.Context) (*healthpb.HealthCheckResponse, error) {
		return nil, status.Error(codes.Internal, "out of order")
	})
	defer stop()
	mesh, err := transport.New(registry, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())

	options := fairgrpc.DialOptions(mesh, fairgrpc.WithFallback(func(_ context.Context, method string, _, reply any, err error) error {
		r, ok := reply.(*healthpb.HealthCheckResponse)
		if !ok {
			return err
		}
		fmt.Println(method, "failed:", status.Code(err))
		r.Status = healthpb.HealthCheckResponse_UNKNOWN
		return nil
	}))
	conn, err := grpc.NewClient("mesh:///orders", append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	reply, err := healthpb.NewHealthClient(conn).Check(context.Background(), new(healthpb.HealthCheckRequest))
	fmt.Println(reply.GetStatus(), err)
	// Output:
	// /grpc.health.v1.Health/Check failed: Internal
	// UNKNOWN <nil>
}

// A rule has calls sent a second time, to another instance, if they take long, and
// the first success counts.
func ExampleDialOptions_hedge() {
	var calls atomic.Int64
	registry, stop := serve(2, func(ctx context.Context) (*healthpb.HealthCheckResponse, error) {
		if calls.Add(1) == 1 {
			<-ctx.Done() // the first hangs, until it is given up
			return nil, ctx.Err()
		}
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	})
	defer stop()
	yes := true
	rules, err := rule.Static(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service:    "orders",
		Idempotent: &yes,
		Hedge:      &rule.Hedge{Delay: rule.Duration(50 * time.Millisecond), MaxExtra: 100_00},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mesh, err := transport.New(registry, quiet, transport.WithRules(rules))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())
	if _, err := mesh.Views(context.Background(), "orders"); err != nil { // or a call: the service is in use
		fmt.Println(err)
		return
	}
	for mesh.Dump().Services[0].Rules.Revision == 0 { // no call waits for a rule, but this is to show one
		time.Sleep(time.Millisecond)
	}

	conn, err := grpc.NewClient("mesh:///orders",
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, new(healthpb.HealthCheckRequest))
	fmt.Println(reply.GetStatus(), err)
	fmt.Println("sent again and won:", mesh.Dump().Services[0].HedgesWon)
	// Output:
	// SERVING <nil>
	// sent again and won: 1
}
