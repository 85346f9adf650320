package fairgrpc_test

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

// governed returns a client through a mesh, plain one of gRPC's round_robin,
// over the same instances.

func governed(tb testing.TB, backends ...*backend) *grpc.ClientConn {
	w := &world{tb: tb, registry: new(discovery.Memory)}
	w.mesh = newMesh(tb, w.registry)
	w.announce(backends...)
	conn := w.dial()
	warm(tb, conn, backends...)
	return conn
}

func plain(tb testing.TB, backends ...*backend) *grpc.ClientConn {
	var state resolver.State
	for _, b := range backends {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: b.addr}}})
	}
	r := manual.NewBuilderWithScheme("plain")
	r.InitialState(state)
	conn := dial(tb, "plain:///orders", grpc.WithResolvers(r), grpc.WithDisableRetry(),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	warm(tb, conn, backends...)
	return conn
}

// silent is a backend whose own work is as small as can be.
func silent(tb testing.TB, id string) *backend {
	b := start(tb, id)
	b.unary = func(context.Context, string, string) (string, error) { return "", nil }
	return b
}

// allocations returns those of one call, of client and server together. What
// else the process does comes in bursts, so that the median of several counts.
func allocations(tb testing.TB, conn *grpc.ClientConn) float64 {
	ctx := context.Background()
	in, out := wrapperspb.String("x"), new(wrapperspb.StringValue)
	var runs []float64
	for range 9 {
		runs = append(runs, testing.AllocsPerRun(300, func() {
			if err := conn.Invoke(ctx, get, in, out); err != nil {
				tb.Error(err)
			}
		}))
	}
	slices.Sort(runs)
	return runs[len(runs)/2]
}

// A governed unary call allocates twice more than one of plain round_robin:
// the call that travels in the context, and the picker's Done.
func TestAddedAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	a, b := silent(t, "a"), silent(t, "b")
	before, after := allocations(t, plain(t, a, b)), allocations(t, governed(t, a, b))
	t.Logf("plain %v, governed %v", before, after)
	if after-before > 2 {
		t.Errorf("%v allocations, %v without the mesh: %v added", after, before, after-before)
	}
}

func BenchmarkUnary(b *testing.B) {
	for _, bb := range []struct {
		name string
		dial func(testing.TB, ...*backend) *grpc.ClientConn
	}{{"round_robin", plain}, {"fairlead", governed}} {
		b.Run("balancer="+bb.name, func(b *testing.B) {
			conn := bb.dial(b, silent(b, "a"), silent(b, "b"), silent(b, "c"))
			cputime.Start(b)
			b.SetParallelism(16 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				ctx := context.Background()
				in, out := wrapperspb.String("x"), new(wrapperspb.StringValue)
				for pb.Next() {
					if err := conn.Invoke(ctx, get, in, out); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
