package fairgrpc

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

func admitting(tb testing.TB) *interceptor {
	tb.Helper()
	mesh, err := transport.New(new(discovery.Memory))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mesh.Close(context.Background()) })
	a, err := mesh.Admission("orders", transport.AdmissionConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	return &interceptor{admission: a, trustPriority: true}
}

var (
	theMethod = &grpc.UnaryServerInfo{FullMethod: "/fairlead.test.Orders/Get"}
	bare      = func(context.Context, any) (any, error) { return nil, nil }
)

// of is the context of a call as its server has it, with what clients say anyway.
func of(priority string) context.Context {
	md := metadata.Pairs(":authority", "orders", "content-type", "application/grpc", "user-agent", "grpc-go/1.85.0")
	if priority != "" {
		md.Set(Priority, priority)
	}
	return metadata.NewIncomingContext(context.Background(), md)
}

// TestAllocationsOfAdmit: a call that is taken on costs one allocation beside those of
// its limit.
func TestAllocationsOfAdmit(t *testing.T) {
	i, ctx := admitting(t), of("")
	limit := testing.AllocsPerRun(1000, func() {
		admitted, _ := i.admission.Admit(ctx, transport.Arrival{Method: theMethod.FullMethod})
		admitted.Done(transport.Success)
	})
	if n := testing.AllocsPerRun(1000, func() { _, _ = i.unary(ctx, nil, theMethod, bare) }); n > limit+1 {
		t.Errorf("%v allocations, of which %v are the limit's, and 1 is allowed", n, limit)
	}
}

// BenchmarkAdmit: what stands before a handler, beside the handler alone.
func BenchmarkAdmit(b *testing.B) {
	all := admitting(b)
	for _, c := range []struct {
		name     string
		i        *interceptor
		priority string
	}{{"bare", nil, ""}, {"carry", new(interceptor), ""}, {"admit", all, ""}, {"admitSheddable", all, "sheddable"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := of(c.priority)
			for b.Loop() {
				if c.i == nil {
					_, _ = bare(ctx, nil)
				} else {
					_, _ = c.i.unary(ctx, nil, theMethod, bare)
				}
			}
		})
	}
}
