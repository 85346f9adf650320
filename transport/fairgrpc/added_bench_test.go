package fairgrpc

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
)

// BenchmarkAdded is what a call costs in this process beside what gRPC does with it:
// between gRPC's interceptors and its pickers, and from there to the end. Bare is a
// picker that knows one connection.
func BenchmarkAdded(b *testing.B) {
	bound, nodes := bench(b, "a", "b", "c", "d")
	conn, err := grpc.NewClient("mesh:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithResolvers(builder{bound.door}))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	picker := pickerOf(bound, ready(nodes))
	ctx, in, out := context.Background(), wrapperspb.String("x"), new(wrapperspb.StringValue)
	b.Run("bare", func(b *testing.B) {
		send := through(new(connected))
		b.ReportAllocs()
		for b.Loop() {
			if err := send(ctx, "/orders.Orders/Get", in, out, conn); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fairlead", func(b *testing.B) {
		send := through(picker)
		b.ReportAllocs()
		for b.Loop() {
			if err := bound.door.unary(ctx, "/orders.Orders/Get", in, out, conn, send); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func ready(nodes []*balancer.Node) (all []endpointsharding.ChildState) {
	for _, n := range nodes {
		all = append(all, childOf(n, connectivity.Ready, new(connected)))
	}
	return all
}

// through stands for gRPC: it picks, and the answer is there at once.
func through(p grpcbalancer.Picker) grpc.UnaryInvoker {
	return func(ctx context.Context, method string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		to, err := p.Pick(grpcbalancer.PickInfo{FullMethodName: method, Ctx: ctx})
		if err == nil && to.Done != nil {
			to.Done(grpcbalancer.DoneInfo{BytesSent: true, BytesReceived: true})
		}
		return err
	}
}
