package fairgrpc_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// forWhom has a backend answer with its name and whom it is told a call is for.
func forWhom(t *testing.T, id string) *backend {
	b := start(t, id)
	b.unary = func(ctx context.Context, _, _ string) (string, error) {
		return id + " for " + strings.Join(metadata.ValueFromIncomingContext(ctx, "fairlead-service"), ","), nil
	}
	return b
}

// Calls that rules send through a gateway go over the channel that leads there, and
// say for whom they are.
func TestCallsThroughAGatewaySayForWhomTheyAre(t *testing.T) {
	p := policy()
	p.Spec.Subsets, p.Spec.Gateway = nil, &rule.Gateway{Service: "edge"}
	w := ruled(t, p, []*backend{forWhom(t, "v1")}, transport.WithGateway("edge"))
	w.register(discovery.Instance{ID: "edge", Service: "edge", Addr: forWhom(t, "edge").addr})
	edge := dial(t, "mesh:///edge", fairgrpc.DialOptions(w.mesh)...)
	conn := dial(t, "mesh:///orders", fairgrpc.DialOptions(w.mesh, fairgrpc.WithGateway(edge))...)
	seen := map[string]bool{}
	eventually(t, "a call goes through the gateway, and one does not", func() bool { // as it is unknown at first
		seen[mustCall(t, conn, get, "x")] = true
		return seen["edge for orders"] && seen["v1 for "]
	})
	if len(seen) != 2 {
		t.Errorf("servers saw %v", seen)
	}
}

// A channel that was given no other stays with its service, which is counted.
func TestAChannelWithoutAGatewayStays(t *testing.T) {
	p := policy()
	p.Spec.Subsets, p.Spec.Gateway = nil, &rule.Gateway{Service: "edge"}
	w := ruled(t, p, []*backend{forWhom(t, "v1")}, transport.WithGateway("edge"))
	w.register(discovery.Instance{ID: "edge", Service: "edge", Addr: forWhom(t, "edge").addr})
	conn := w.dial()
	stayed := func() int64 {
		for _, s := range w.mesh.Dump().Services {
			if s.Service == "orders" && s.Gateway != nil {
				if s.Gateway.Moved != 0 {
					t.Errorf("%+v", s.Gateway)
				}
				return s.Gateway.Stayed
			}
		}
		return 0
	}
	eventually(t, "a call that was to go to the gateway stayed", func() bool { // one in ten is, at first
		if got := mustCall(t, conn, get, "x"); got != "v1 for " {
			t.Fatalf("it went to %s", got)
		}
		return stayed() > 0
	})
}
