package fairgrpc_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

// What WithCall says of a call reaches the policy, from unary calls and
// streams.
func TestKeyReachesThePolicy(t *testing.T) {
	var mu sync.Mutex
	var keys []string
	policy := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		return picks(func(r balancer.Request) *balancer.Node {
			mu.Lock()
			defer mu.Unlock()
			keys = append(keys, r.Key)
			return c.Nodes[0]
		})
	})
	w := newWorld(t, transport.WithPolicy(policy))
	b := start(t, "a")
	w.announce(b)
	conn := w.dial()
	mustCall(t, conn, get, "1")

	ctx := within(t)
	if _, err := call(transport.WithCall(ctx, transport.Key("unary")), conn, get, "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := open(transport.WithCall(ctx, transport.Key("stream")), conn, chat); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, key := range []string{"unary", "stream"} {
		if !slices.Contains(keys, key) {
			t.Errorf("the policy did not see %q, only %q", key, keys)
		}
	}
}

type picks func(balancer.Request) *balancer.Node

func (p picks) Pick(r balancer.Request) *balancer.Node { return p(r) }
