package fairgrpc_test

import (
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

func TestHealthCheck(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	states := health.NewServer()
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, states)
	go s.Serve(l) // ends with Stop
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })

	whole, orders := fairgrpc.HealthCheck(conn, ""), fairgrpc.HealthCheck(conn, "orders")
	if err := whole(t.Context()); err != nil {
		t.Errorf("the server as a whole serves: %v", err)
	}
	if err := orders(t.Context()); err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("of orders nothing is known: %v", err)
	}
	states.SetServingStatus("orders", healthpb.HealthCheckResponse_SERVING)
	if err := orders(t.Context()); err != nil {
		t.Errorf("orders serves: %v", err)
	}
	states.SetServingStatus("orders", healthpb.HealthCheckResponse_NOT_SERVING)
	if err := orders(t.Context()); err == nil || !strings.Contains(err.Error(), "NOT_SERVING") {
		t.Errorf("orders does not serve: %v", err)
	}
}
