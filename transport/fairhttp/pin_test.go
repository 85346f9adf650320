package fairhttp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// A pinned call goes to its instance, whatever the rules and its draining say.
func TestPinning(t *testing.T) {
	for _, c := range []struct {
		name     string
		draining bool
	}{{"AgainstARoute", false}, {"Draining", true}} {
		t.Run(c.name, func(t *testing.T) {
			servers := two(t)
			orders := ruled(t, policy(to("v1")), servers[:1], transport.WithPinning())
			if _, err := orders.Register(t.Context(), discovery.Instance{ID: "v2", Service: "orders", Addr: servers[1].addr(), Draining: c.draining}); err != nil {
				t.Fatal(err)
			}
			orders.obeys(t, 2)
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			req, _ := http.NewRequestWithContext(transport.WithCall(t.Context(), transport.Instance("v2")), "GET", "mesh://orders/", nil)
			for range 3 {
				if got := send(t, client, req); got != "v2" {
					t.Errorf("the call went to %s", got)
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
			servers := two(t)
			orders := ruled(t, policy(to("v1")), servers, c.opts...)
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			body := newTracked("two sheep")
			req, _ := http.NewRequestWithContext(transport.WithCall(t.Context(), transport.Instance(c.instance)), "POST", "mesh://orders/", body)
			_, err := client.Do(req)
			e, ok := errors.AsType[*transport.Error](err)
			if !ok || e.Stage != transport.StagePick || !errors.Is(err, transport.ErrPinning) || errors.Is(err, balancer.ErrNoInstances) != c.nobody {
				t.Errorf("the call ended with %v", err)
			}
			if n := servers[0].executions.Load() + servers[1].executions.Load(); n != 0 || body.closes() != 1 {
				t.Errorf("%d executions, the body was closed %d times", n, body.closes())
			}
		})
	}
}
