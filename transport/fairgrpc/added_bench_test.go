package fairgrpc

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/transport"
)

// BenchmarkAdded is what a call costs in this process beside what gRPC does with it:
// between gRPC's interceptors and its pickers, and from there to the end. Bare is a
// picker that knows one connection, and a context with a timeout where there is one.
func BenchmarkAdded(b *testing.B) {
	in, out := wrapperspb.String("x"), new(wrapperspb.StringValue)
	for _, c := range []struct {
		deadline string
		timeout  time.Duration
	}{{"none", 0}, {"1s", time.Second}} {
		bound, nodes := benchWith(b, []transport.Option{transport.WithTimeout(c.timeout)}, "a", "b", "c", "d")
		conn, err := grpc.NewClient("mesh:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithResolvers(builder{bound.door}))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		b.Run("bare/deadline="+c.deadline, func(b *testing.B) {
			send := through(new(connected))
			cputime.Start(b)
			for b.Loop() {
				ctx, cancel := b.Context(), func() {}
				if c.timeout > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
				}
				if err := send(ctx, "/orders.Orders/Get", in, out, conn); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
		})
		b.Run("fairlead/deadline="+c.deadline, func(b *testing.B) {
			send := through(pickerOf(bound, ready(nodes)))
			cputime.Start(b)
			for b.Loop() {
				if err := bound.door.unary(b.Context(), "/orders.Orders/Get", in, out, conn, send); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ready(nodes []*balancer.Node) (all []endpointsharding.ChildState) {
	for _, n := range nodes {
		all = append(all, childOf(n, connectivity.Ready, new(connected)))
	}
	return all
}

// through stands for gRPC: it picks, within a context of its own, and the answer is
// there at once.
func through(p grpcbalancer.Picker) grpc.UnaryInvoker {
	return func(ctx context.Context, method string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		to, err := p.Pick(grpcbalancer.PickInfo{FullMethodName: method, Ctx: ctx})
		if err != nil {
			return err
		}
		ctx.Deadline()
		ctx.Done()
		if to.Done != nil {
			to.Done(grpcbalancer.DoneInfo{BytesSent: true, BytesReceived: true})
		}
		return nil
	}
}
