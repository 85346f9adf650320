package fairgrpc_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// A pinned call goes to its instance, whatever the rules and its draining say.
func TestPinning(t *testing.T) {
	for _, c := range []struct {
		name     string
		draining bool
	}{{"AgainstARoute", false}, {"Draining", true}} {
		t.Run(c.name, func(t *testing.T) {
			backends := two(t)
			w := ruled(t, policy(to("v1")), backends[:1], transport.WithPinning())
			w.register(discovery.Instance{ID: "v2", Service: "orders", Version: "v2", Addr: backends[1].addr, Draining: c.draining})
			w.obeys(2)
			for name, call := range ways(w) {
				for range 3 {
					if got, err := call(transport.WithCall(within(t), transport.Instance("v2"))); got != "v2" {
						t.Errorf("%s: the call went to %q: %v", name, got, err)
					}
				}
			}
		})
	}
}

// Where pinning is not allowed, or there is nobody of that name, the call fails
// and says so.
func TestPinningRefused(t *testing.T) {
	for _, c := range []struct {
		name, instance string
		opts           []transport.Option
		nobody         bool
	}{
		{"NotAllowed", "v2", nil, false},
		{"Nobody", "v3", []transport.Option{transport.WithPinning()}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			backends := two(t)
			w := ruled(t, policy(to("v1")), backends, c.opts...)
			for name, call := range ways(w) {
				_, err := call(transport.WithCall(within(t), transport.Instance(c.instance)))
				if status.Code(err) != codes.Unavailable {
					t.Errorf("%s: %v", name, err)
				}
				if name != "Unary" && name != "Stream" {
					continue // errors are gRPC's own
				}
				if !errors.Is(err, transport.ErrPinning) || errors.Is(err, balancer.ErrNoInstances) != c.nobody || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := backends[0].executed.Load() + backends[1].executed.Load(); n != 0 {
				t.Errorf("%d calls were executed", n)
			}
		})
	}
}
