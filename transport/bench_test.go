package transport_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// fixed is a registry that says one thing and holds.
type fixed discovery.Snapshot

func (f fixed) Watch(ctx context.Context, _ string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		if yield(discovery.Snapshot(f), nil) {
			<-ctx.Done()
		}
	}
}

// Refresh makes each call look whether the process was frozen, as with etcd.
func (fixed) Refresh(context.Context, string) error { return nil }

func meshOf(tb testing.TB, nodes int, opts ...transport.Option) *transport.Mesh {
	tb.Helper()
	opts = append(opts, transport.WithLogger(slog.New(slog.DiscardHandler)))
	snapshot := fixture.Snapshot("orders", nodes)
	for n, i := range snapshot.Instances {
		i.Zone = []string{"north-1", "south-1"}[n%2]
	}
	m, err := transport.New(fixed(snapshot), opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close(context.Background()) })
	return m
}

// BenchmarkAcquire is the attempt half.
func BenchmarkAcquire(b *testing.B) {
	for _, nodes := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			m := meshOf(b, nodes)
			warm(b, m)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx := context.Background()
				for pb.Next() {
					call := transport.Call{Service: "orders", Protocol: discovery.HTTP}
					lease, err := m.Acquire(ctx, &call, nil)
					if err != nil {
						b.Error(err)
						return
					}
					lease.Done(transport.Outcome{Class: transport.Success, Sent: true, Answered: true})
				}
			})
		})
	}
}

// BenchmarkCall is both halves of a call to one of 1000 instances that answers
// at once.
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct {
		features string
		rules    []transport.Option
	}{{"none", nil}, {"rule", []transport.Option{canary(b)}}} {
		b.Run("features="+c.features, func(b *testing.B) {
			m := meshOf(b, 1_000, c.rules...)
			warm(b, m)
			if c.rules != nil {
				obeys(b, m)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx := context.Background()
				call, request := new(transport.Call), &seen{path: "/v1/orders/42"}
				for pb.Next() {
					*call = transport.Call{Service: "orders", Protocol: discovery.HTTP, Request: request}
					if err := m.Do(ctx, call, instant{m}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// canary sends calls of one path to one half of the instances or the other.
func canary(tb testing.TB) transport.Option {
	tb.Helper()
	p := ordersPolicy(
		rule.Route{Name: "canary", Match: []rule.Match{{Path: &rule.Text{Prefix: "/v1/"}}},
			Route:    []rule.Destination{{Subset: "north", Weight: 90}, {Subset: "south", Weight: 10}},
			Fallback: "north", Retries: rule.RouteRetries{MaxAttempts: 2}},
		rule.Route{Name: "rest"})
	p.Spec.Subsets = []rule.Subset{{Name: "north", Labels: map[string]string{"zone": "north-1"}}, {Name: "south", Labels: map[string]string{"zone": "south-1"}}}
	source, err := rule.Static(p)
	if err != nil {
		tb.Fatal(err)
	}
	return transport.WithRules(source)
}

type instant struct{ mesh *transport.Mesh }

func (i instant) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	lease, err := i.mesh.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	out := transport.Outcome{Class: transport.Success, Sent: true, Answered: true}
	lease.Done(out)
	return out
}

func warm(tb testing.TB, m *transport.Mesh) {
	tb.Helper()
	if err := m.Do(context.Background(), &transport.Call{Service: "orders", Protocol: discovery.HTTP}, instant{m}); err != nil {
		tb.Fatal(err)
	}
}
