package fairgrpc_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// BenchmarkReady is what it costs a client of a large service until it is
// connected to all whom it calls: a new mesh with the list of all, and a channel.
// Client and server are in this process, and cpu-ms is that of both. Plain is
// gRPC's round_robin, which connects to all, over the same list: its cost is
// quadratic, so that there is not more of it.
func BenchmarkReady(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("instances=%d", n), func(b *testing.B) {
			w := &world{tb: b, registry: new(discovery.Memory)}
			c := newCrowd(b)
			w.populate(c.many(n)...)
			ready(b, c, 100, func() (*grpc.ClientConn, func()) {
				mesh := newMesh(b, w.registry, hundred("me"))
				return dial(b, "mesh:///orders", fairgrpc.DialOptions(mesh)...), func() { mesh.Close(within(b)) }
			})
		})
	}
	for _, n := range []int{1000} {
		b.Run(fmt.Sprintf("plain/instances=%d", n), func(b *testing.B) {
			c := newCrowd(b)
			var state resolver.State
			for _, i := range c.many(n) {
				state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: i.Addr}}})
			}
			ready(b, c, n, func() (*grpc.ClientConn, func()) {
				r := manual.NewBuilderWithScheme("plain")
				r.InitialState(state)
				return dial(b, "plain:///orders", grpc.WithResolvers(r), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`)), func() {}
			})
		})
	}
}

// ready measures clients until their first call has answered and they have as
// many connections as they should have.
func ready(b *testing.B, c *crowd, connections int, client func() (*grpc.ClientConn, func())) {
	first, all, began := time.Duration(0), time.Duration(0), cputime.Used()
	for b.Loop() {
		start, accepted := time.Now(), c.accepted()
		conn, end := client()
		mustCall(b, conn, get, "")
		first += time.Since(start)
		for c.accepted() < accepted+connections {
			time.Sleep(100 * time.Microsecond)
		}
		b.StopTimer()
		all += settle() - began
		conn.Close()
		end()
		began = settle()
		b.StartTimer()
	}
	b.ReportMetric(float64(first.Milliseconds())/float64(b.N), "first-call-ms")
	b.ReportMetric(float64(all.Milliseconds())/float64(b.N), "cpu-ms")
}

// settle waits until this process has nothing more to do, and returns the CPU time
// that it has used by then.
func settle() time.Duration {
	for last := cputime.Used(); ; {
		time.Sleep(50 * time.Millisecond)
		now := cputime.Used()
		if now-last < 2*time.Millisecond {
			return now
		}
		last = now
	}
}
