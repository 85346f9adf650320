package fairleadtest_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

func newMesh(t testing.TB, registry discovery.Registry, options ...transport.Option) *transport.Mesh {
	t.Helper()
	m, err := transport.New(registry, append(options, transport.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// call makes one idempotent call to orders through a fleet's door.
func call(ctx context.Context, m *transport.Mesh, f *fairleadtest.Fleet) error {
	return m.Do(ctx, &transport.Call{Service: "orders", Method: "Get", Protocol: discovery.HTTP, Idempotent: true}, f.Door(m))
}
