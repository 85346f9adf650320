package fairgrpc_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// A server tells in its trailers how busy it is, and its clients choose by that.
func ExampleReportLoad() {
	var addrs []string
	for range 2 { // two instances, in one process here
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Println(err)
			return
		}
		reporter := &transport.LoadReporter{
			Utilization: func() float64 { return 0.25 }, // of the CPU, of workers, …
		}
		srv := grpc.NewServer(fairgrpc.ReportLoad(reporter)...)
		healthpb.RegisterHealthServer(srv, health.NewServer())
		go func() { _ = srv.Serve(l) }()
		defer srv.Stop()
		addrs = append(addrs, l.Addr().String())
	}
	registry, err := discovery.NewStatic(discovery.Addrs("orders", addrs...)...)
	if err != nil {
		fmt.Println(err)
		return
	}
	mesh, err := transport.New(registry, quiet, transport.WithPolicy(balancer.Prequal{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())

	conn, err := grpc.NewClient("mesh:///orders", append(fairgrpc.DialOptions(mesh),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	if _, err := healthpb.NewHealthClient(conn).Check(context.Background(), new(healthpb.HealthCheckRequest), grpc.WaitForReady(true)); err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range mesh.Dump().Services[0].Instances {
		if said := i.Stats.Reported; said != nil {
			fmt.Println("calls in flight there:", said.InFlight)
		}
	}
	// Output: calls in flight there: 1
}
