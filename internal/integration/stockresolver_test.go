package integration_test

import (
	"context"
	"net"
	"testing"

	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// A program that knows nothing of fairlead dials etcd:/// with the resolver of
// etcd's client package and round robin, and calls what is registered here.
func TestStockResolverFollowsOurRecords(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	first, second := serveGRPC(t), serveGRPC(t)
	a := registerGRPC(t, r, first)

	builder, err := resolver.NewBuilder(client)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("etcd:///"+prefix(t)+"instances/orders",
		grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reached := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var p peer.Peer
		if _, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Peer(&p), grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
		return p.Addr.String()
	}
	if got := reached(); got != first {
		t.Fatalf("the call reached %s, want %s", got, first)
	}

	registerGRPC(t, r, second)
	eventually(t, "a call to the second instance", func() bool { return reached() == second })
	eventually(t, "a call to the first instance", func() bool { return reached() == first })

	// For a stock reader the deletion is the drain.
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	inARow := 0
	eventually(t, "ten calls in a row to the second instance", func() bool {
		inARow++
		if reached() != second {
			inARow = 0
		}
		return inARow == 10
	})
}

func serveGRPC(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func registerGRPC(t *testing.T, r discovery.Registrar, addr string) discovery.Registration {
	t.Helper()
	reg, err := r.Register(t.Context(), discovery.Instance{
		Service: "orders", Zone: "north-1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "127.0.0.1:1"}, {Protocol: discovery.GRPC, Addr: addr}},
	})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, reg)
	return reg
}
