package transport_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// wide are limits that no call of a benchmark reaches.
var wide = []struct {
	limit   string
	options []transport.Option
}{
	{"none", nil},
	{"rate", []transport.Option{transport.WithRateLimit(ratelimit.RateConfig{Rate: ratelimit.MaxRate, Burst: ratelimit.MaxBurst})}},
	{"bulkhead", []transport.Option{transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 1000})}},
	{"learned", []transport.Option{transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{Initial: 1000}})}},
	{"throttle", []transport.Option{transport.WithThrottle(ratelimit.ThrottleConfig{})}},
	{"instances", []transport.Option{transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{}})}},
}

// answering is an attempt whose answer ends as soon as it is there.
type answering struct{ instant }

func (a answering) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	o := a.instant.Try(ctx, call)
	call.Ended(call.Turn())
	return o
}

// BenchmarkLimit is both halves of a call to one of 1000 instances that answers at
// once, under a limit that is not reached.
func BenchmarkLimit(b *testing.B) {
	for _, c := range wide {
		b.Run("limit="+c.limit, func(b *testing.B) {
			ballast()
			m := meshOf(b, 1_000, c.options...)
			warm(b, m)
			calls := func(more func() bool) {
				ctx, request := context.Background(), &seen{}
				call, try := new(transport.Call), transport.Attempt(answering{instant{m}})
				for more() {
					*call = transport.Call{Service: "orders", Protocol: discovery.HTTP, Request: request}
					if err := m.Do(ctx, call, try); err != nil {
						b.Error(err)
						return
					}
				}
			}
			n := 0
			calls(func() bool { n++; return n < 50_000 }) // so that each instance has its limit
			cputime.Start(b)
			b.RunParallel(func(pb *testing.PB) { calls(pb.Next) })
		})
	}
}

// BenchmarkRefusal is a call that a limit refuses.
func BenchmarkRefusal(b *testing.B) {
	m := meshOf(b, 1_000, transport.WithRateLimit(ratelimit.RateConfig{Rate: 1e-6, Burst: 1}))
	warm(b, m)
	b.ReportAllocs()
	for b.Loop() {
		call := transport.Call{Service: "orders", Protocol: discovery.HTTP, Request: &seen{}}
		if m.Do(context.Background(), &call, instant{m}) == nil {
			b.Fatal("a call passes")
		}
	}
}

// BenchmarkAdmission is what a server does with a call beside its work: by code, with
// a deadline to look at, and with limits of rules.
func BenchmarkAdmission(b *testing.B) {
	b.Run("learned", func(b *testing.B) {
		admitting(b, admits(b, newMesh(b, orders()), transport.AdmissionConfig{Concurrency: roomy}), context.Background())
	})
	b.Run("deadline", func(b *testing.B) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		admitting(b, admits(b, newMesh(b, orders()), transport.AdmissionConfig{Concurrency: roomy}), ctx)
	})
	b.Run("rates", func(b *testing.B) {
		g := versions("v1-a")
		g.Put(serving(rateRules()))
		m := newMesh(b, g)
		a := admits(b, m, transport.AdmissionConfig{Concurrency: roomy})
		for a.Dump().Revision == 0 {
		}
		admitting(b, a, context.Background())
	})
}

// roomy is a learned limit that nobody reaches at once.
var roomy = ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{Initial: 1000}}

func rateRules() rule.Server {
	most := rule.Rate{Calls: ratelimit.MaxRate, Within: time.Second}
	return rule.Server{Limits: []rule.RateLimit{{Name: "all", Rate: most}, {Name: "callers", Rate: most, Per: "caller"}}}
}

func admitting(b *testing.B, a *transport.Admission, ctx context.Context) {
	cputime.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		call := arrival(ratelimit.Default)
		for pb.Next() {
			one, err := a.Admit(ctx, call)
			if err != nil {
				b.Error(err)
				return
			}
			one.Done(transport.Success)
		}
	})
}

// Neither half of a call allocates for a limit that is not reached, nor does a server
// for taking a call on.
func TestLimitsAllocateNothing(t *testing.T) {
	for _, c := range wide {
		t.Run(c.limit, func(t *testing.T) {
			m := meshOf(t, 10, c.options...)
			warm(t, m)
			ctx, call, try, request := t.Context(), new(transport.Call), transport.Attempt(answering{instant{m}}), &seen{}
			once := func() {
				*call = *get()
				call.Request = request
				if err := m.Do(ctx, call, try); err != nil {
					t.Fatal(err)
				}
			}
			for range 1000 { // so that each instance has its limit
				once()
			}
			if got := testing.AllocsPerRun(1000, once); got != 0 {
				t.Errorf("%v allocations", got)
			}
		})
	}
	t.Run("admission", func(t *testing.T) {
		g := versions("v1-a")
		g.Put(serving(rateRules()))
		m := newMesh(t, g)
		a := admits(t, m, transport.AdmissionConfig{Concurrency: roomy})
		eventually(t, "rules", func() bool { return a.Dump().Revision > 0 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		call := arrival(ratelimit.Default)
		if got := testing.AllocsPerRun(1000, func() {
			one, err := a.Admit(ctx, call)
			if err != nil {
				t.Fatal(err)
			}
			one.Done(transport.Success)
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}
