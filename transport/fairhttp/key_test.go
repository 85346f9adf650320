package fairhttp_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// What WithCall says of a call reaches the policy.
func TestKeyReachesThePolicy(t *testing.T) {
	s := serve(t, say("hello"))
	var keys []string // written by this test's calls only, one after the other
	policy := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		return picks(func(r balancer.Request) *balancer.Node { keys = append(keys, r.Key); return c.Nodes[0] })
	})
	orders := newServiceWith(t, []transport.Option{transport.WithPolicy(policy)}, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	for _, key := range []string{"user-42", ""} {
		req, err := http.NewRequestWithContext(transport.WithCall(t.Context(), transport.Key(key)), http.MethodGet, "mesh://orders/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if want := []string{"user-42", ""}; !slices.Equal(keys, want) {
		t.Errorf("the policy saw %q, want %q", keys, want)
	}
}

type picks func(balancer.Request) *balancer.Node

func (p picks) Pick(r balancer.Request) *balancer.Node { return p(r) }
