package transport_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
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
			cputime.Start(b)
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

// BenchmarkAcquireLowerBound is the least that an attempt can do: choose among as many
// instances, and count the call in and out.
func BenchmarkAcquireLowerBound(b *testing.B) {
	for _, nodes := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			pool, err := balancer.NewPool(balancer.PoolConfig{})
			if err != nil {
				b.Fatal(err)
			}
			pool.Update(fixture.Snapshot("orders", nodes), balancer.Now())
			cputime.Start(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					now := balancer.Now()
					node := pool.View().Picker(discovery.HTTP).Pick(balancer.Request{Now: now, Rand: rand.Uint64()})
					node.Start(now).Done(balancer.Now(), balancer.Success)
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
	}{{"none", nil}, {"rule", []transport.Option{inForce(b, canary())}}, {"all", []transport.Option{inForce(b, everything())}}} {
		b.Run("features="+c.features, func(b *testing.B) { halves(b, c.rules...) })
	}
}

// BenchmarkParts are those of features=all, each by itself: what that costs more than
// their sum is what it costs to put them together.
func BenchmarkParts(b *testing.B) {
	b.Run("halves", func(b *testing.B) { halves(b) })
	b.Run("match", func(b *testing.B) {
		policy := everything()
		table, err := rule.Compile(policy, nil)
		if err != nil {
			b.Fatal(err)
		}
		request := &seen{path: "/v1/orders/42"}
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for bits := uint64(0); pb.Next(); bits += 0x9e3779b97f4a7c15 {
				if table.Decide(request, bits).Route == nil {
					b.Error("no route")
				}
			}
		})
	})
	// With settings as those of package breaker, and a mesh beside it: one allocation
	// to a call costs what the collector finds to do.
	b.Run("twostep", func(b *testing.B) {
		ballast()
		m := meshOf(b, 1_000)
		warm(b, m)
		defer runtime.KeepAlive(m)
		var all [1000]*gobreaker.TwoStepCircuitBreaker[struct{}]
		for n := range all {
			all[n] = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
				MaxRequests: 1, Timeout: 3 * time.Second,
				IsExcluded:   func(error) bool { return false },
				IsSuccessful: func(err error) bool { return err == nil },
				ReadyToTrip:  func(gobreaker.Counts) bool { return false },
			})
		}
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for bits := uint64(0); pb.Next(); bits += 0x9e3779b97f4a7c15 {
				done, err := all[bits>>32*1000>>32].Allow() // no other is the last one's, as with instances
				if err != nil {
					b.Error(err)
				}
				done(nil)
			}
		})
	})
}

// ballast is what a service has on its heap. On one of a few megabytes the collector
// is at work half of the time as soon as anything is allocated, and what is measured
// then is the collector.
func ballast() { runtime.KeepAlive(heap()) }

// heap is made once, since to make it again is to clear it.
var heap = sync.OnceValue(func() []byte { return make([]byte, 64<<20) })

func halves(b *testing.B, rules ...transport.Option) {
	ballast()
	m := meshOf(b, 1_000, rules...)
	warm(b, m)
	if rules != nil {
		obeys(b, m)
	}
	calls := func(more func() bool) {
		ctx := context.Background()
		call, request := new(transport.Call), &seen{path: "/v1/orders/42"}
		for more() {
			*call = transport.Call{Service: "orders", Protocol: discovery.HTTP, Request: request}
			if err := m.Do(ctx, call, instant{m}); err != nil {
				b.Error(err)
				return
			}
		}
	}
	n := 0
	calls(func() bool { n++; return n < 50_000 }) // so that each instance has its breaker
	cputime.Start(b)
	b.RunParallel(func(pb *testing.PB) { calls(pb.Next) })
}

// everything is the canary with retries, their budget, and a breaker per instance.
func everything() rule.Policy {
	p := canary()
	p.Spec.Retries = rule.Retries{MaxAttempts: 3, RetryOn: []string{"connect-failure", "reset", "overload", "503"}, Budget: rule.Budget{Ratio: 20_00, MinPerSecond: 10}}
	p.Spec.CircuitBreaker = &rule.CircuitBreaker{FailureRate: 50_00, ConsecutiveFailures: 5}
	return p
}

// canary sends calls of one path to one half of the instances or the other.
func canary() rule.Policy {
	p := ordersPolicy(
		rule.Route{Name: "canary", Match: []rule.Match{{Path: &rule.Text{Prefix: "/v1/"}}},
			Route:    []rule.Destination{{Subset: "north", Weight: 90}, {Subset: "south", Weight: 10}},
			Fallback: "north", Retries: rule.RouteRetries{MaxAttempts: 2}},
		rule.Route{Name: "rest"})
	p.Spec.Subsets = []rule.Subset{{Name: "north", Labels: map[string]string{"zone": "north-1"}}, {Name: "south", Labels: map[string]string{"zone": "south-1"}}}
	return p
}

func inForce(tb testing.TB, p rule.Policy) transport.Option {
	tb.Helper()
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
