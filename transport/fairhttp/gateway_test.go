package fairhttp_test

import (
	"net/http"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Calls that rules send through a gateway say for whom they are. Those that are sent
// straight do not.
func TestCallsThroughAGatewaySayForWhomTheyAre(t *testing.T) {
	whom := func(name string) *server {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(name + " for " + r.Header.Get(fairhttp.ForService) + " of " + r.Host))
		})
	}
	p := policy()
	p.Spec.Subsets, p.Spec.Gateway = nil, &rule.Gateway{Service: "edge"}
	orders := ruled(t, p, []*server{whom("orders")}, transport.WithGateway("edge"))
	if _, err := orders.Register(t.Context(), discovery.Instance{ID: "edge", Service: "edge", Addr: whom("edge").addr()}); err != nil {
		t.Fatal(err)
	}
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	seen := map[string]bool{}
	until(t, "a call goes through the gateway, and one does not", func() bool { // as it is unknown at first
		_, body := fetch(t, client, "POST", "mesh://orders/", "something")
		seen[body] = true
		return seen["edge for orders of edge"] && seen["orders for  of orders"]
	})
	if len(seen) != 2 {
		t.Errorf("servers saw %v", seen)
	}
}
