package transport_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

func TestPinning(t *testing.T) {
	g := versions("v1-a", "v1-b", "v2-a")
	ctx := transport.WithCall(t.Context(), transport.Instance("v1-b"))
	call := func(m *transport.Mesh, ctx context.Context) error {
		c := get()
		c.Apply(ctx)
		return m.Do(ctx, c, g.Door(m))
	}
	g.Put(ordersPolicy(to("v2")))
	if err := call(knowing(t, newMesh(t, g)), ctx); !errors.Is(err, transport.ErrPinning) || len(g.Called()) != 0 {
		t.Errorf("not allowed: %v, called %v", err, g.Called())
	}
	m := knowing(t, newMesh(t, g, transport.WithPinning()))
	obeys(t, m)
	for range 10 {
		if err := call(m, ctx); err != nil {
			t.Fatal(err)
		}
	}
	if called := slices.Compact(g.Called()); !slices.Equal(called, []string{"v1-b"}) {
		t.Errorf("pinned calls went to %v", called)
	}
	if err := call(m, transport.WithCall(t.Context(), transport.Instance("nobody"))); !errors.Is(err, transport.ErrPinning) || !errors.Is(err, balancer.ErrNoInstances) {
		t.Errorf("to nobody: %v", err)
	}
	if err := call(m, t.Context()); err != nil || g.Called()[len(g.Called())-1] != "v2-a" {
		t.Errorf("not pinned: %v, %v", err, g.Called())
	}
}
