package fairgrpc_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// A server takes on what it can work on, and believes its clients which of their calls
// are critical. How many it can work on is learned; that only one may come in a minute
// is for the example.
func ExampleAdmit() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	registry, err := discovery.NewStatic(discovery.Addrs("orders", l.Addr().String())...)
	if err != nil {
		fmt.Println(err)
		return
	}
	mesh, err := transport.New(registry, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mesh.Close(context.Background())
	admission, err := mesh.Admission("orders", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 1. / 60, Burst: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := grpc.NewServer(fairgrpc.ServerOptions(fairgrpc.Admit(admission), fairgrpc.TrustPriority())...)
	healthpb.RegisterHealthServer(srv, health.NewServer())
	go func() { _ = srv.Serve(l) }()
	defer srv.Stop()

	conn, err := grpc.NewClient("mesh:///orders", append(fairgrpc.DialOptions(mesh),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	for range 2 {
		_, err := healthpb.NewHealthClient(conn).Check(context.Background(), new(healthpb.HealthCheckRequest), grpc.WaitForReady(true))
		fmt.Printf("%v %q\n", status.Code(err), status.Convert(err).Message())
	}
	// Output:
	// OK ""
	// ResourceExhausted "limit \"code\": rate limit reached"
}
