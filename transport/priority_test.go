package transport_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

const (
	sheddable = ratelimit.Sheddable
	ordinary  = ratelimit.Default
	critical  = ratelimit.Critical
)

// What code says of one call holds. Else the call is as important as the one that it
// is made for, and rules can only lower that; where that says nothing, rules do.
func TestPriorityOfACall(t *testing.T) {
	said := func(p ratelimit.Priority) transport.CallOption { return transport.Priority(p) }
	behalf := func(p ratelimit.Priority) transport.CallOption { return transport.OnBehalfOf(p) }
	tests := []struct {
		name  string
		code  []transport.CallOption
		rules string // of the service
		route string
		want  ratelimit.Priority
	}{
		{"nobody says anything", nil, "", "", ordinary},
		{"code", []transport.CallOption{said(critical)}, "", "", critical},
		{"code, against rules", []transport.CallOption{said(critical)}, "sheddable", "", critical},
		{"code that says default, against rules", []transport.CallOption{said(ordinary)}, "sheddable", "", ordinary},
		{"code, against whom it is for", []transport.CallOption{said(critical), behalf(sheddable)}, "", "", critical},
		{"code, against whom it is for, said before", []transport.CallOption{behalf(critical), said(sheddable)}, "", "", sheddable},
		{"whom it is for", []transport.CallOption{behalf(critical)}, "", "", critical},
		{"rules", nil, "critical", "", critical},
		{"the route before the service", nil, "critical", "sheddable", sheddable},
		{"a route that says default", nil, "critical", "default", ordinary},
		{"rules lower", []transport.CallOption{behalf(critical)}, "sheddable", "", sheddable},
		{"rules lower to default", []transport.CallOption{behalf(critical)}, "default", "", ordinary},
		{"rules do not raise", []transport.CallOption{behalf(sheddable)}, "critical", "", sheddable},
		{"rules that say as much", []transport.CallOption{behalf(critical)}, "critical", "", critical},
		{"whom the next call is for", []transport.CallOption{behalf(sheddable), behalf(critical)}, "", "", critical},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ordersPolicy(rule.Route{Name: "all", Priority: tt.route})
				p.Spec.Priority = tt.rules
				g := versions("v1-a")
				m := obeying(t, g, p)
				call := get()
				call.Apply(transport.WithCall(t.Context(), tt.code...))
				var seen ratelimit.Priority
				err := m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					seen = call.Priority
					return g.Door(m).Try(ctx, call)
				}))
				if err != nil || seen != tt.want {
					t.Errorf("it is %v, want %v: %v", seen, tt.want, err)
				}
			})
		})
	}
}

// All that is sent for a call is as important as it is, save copies, for which nobody
// waits; and another service has its own rules.
func TestWhatIsSentForACallHasItsPriority(t *testing.T) {
	critically := ruled(rule.Spec{Service: "orders", Priority: "critical", OnFailure: &rule.OnFailure{Service: "archive"}})
	t.Run("further attempts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fleet := orders("a", "b", "c")
			m := knowing(t, newMesh(t, fleet, inAnyCase(), critically))
			obeys(t, m)
			var seen []ratelimit.Priority
			call := get()
			_ = m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				seen = append(seen, call.Priority)
				o := fairleadtest.Refused().Outcome
				lease, err := m.Acquire(ctx, call, nil)
				if err != nil {
					return transport.Outcome{Err: err}
				}
				lease.Done(o)
				return o
			}))
			if len(seen) != 3 || seen[0] != critical || seen[1] != critical || seen[2] != critical {
				t.Errorf("they are %v", seen)
			}
		})
	})
	t.Run("a second attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase(), critically, hedging()))
			obeys(t, m)
			r := &racer{mesh: m, first: fairleadtest.Hung(), second: fairleadtest.OK()}
			call := get()
			_ = m.Do(t.Context(), call, r)
			if len(r.seconds) != 1 || r.seconds[0].call.Priority != critical {
				t.Errorf("%d seconds", len(r.seconds))
			}
		})
	})
	t.Run("a copy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := versions("v1-a")
			route := rule.Route{Name: "all", Priority: "critical", Mirror: &rule.Mirror{Percent: 100_00}}
			m := obeying(t, g, ordersPolicy(route))
			var mu sync.Mutex
			var seen []ratelimit.Priority
			_ = m.Do(t.Context(), get(), copiedDoor{tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				mu.Lock()
				seen = append(seen, call.Priority)
				mu.Unlock()
				return g.Door(m).Try(ctx, call)
			})})
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(seen) != 2 || seen[0]+seen[1] != critical+sheddable {
				t.Errorf("the call and its copy are %v", seen)
			}
		})
	})
	t.Run("another service", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fleet := spares()
			m := knowing(t, newMesh(t, fleet, inAnyCase(), critically, transport.WithFallbackServices("archive")))
			obeys(t, m)
			seen := map[string]ratelimit.Priority{}
			call := put()
			call.Apply(transport.WithCall(t.Context(), transport.OnBehalfOf(critical)))
			err := m.Do(t.Context(), call, &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				seen[call.Service] = call.Priority
				if call.Service == "orders" {
					return acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Reset().Outcome }).Try(ctx, call)
				}
				return fleet.Door(m).Try(ctx, call)
			})})
			if err != nil || seen["orders"] != critical || seen["archive"] != critical {
				t.Errorf("they are %v: %v", seen, err)
			}
			call = put()
			_ = m.Do(t.Context(), call, &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
				seen[call.Service] = call.Priority
				if call.Service == "orders" {
					return acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Reset().Outcome }).Try(ctx, call)
				}
				return fleet.Door(m).Try(ctx, call)
			})})
			if seen["orders"] != critical || seen["archive"] != ordinary {
				t.Errorf("the rules of the one hold for the other: %v", seen)
			}
		})
	})
}

// Retries of sheddable calls cannot use up those of others, be it of other services,
// nor the other way round; and the same is true of second attempts.
func TestEachHasItsBudget(t *testing.T) {
	call := func(service string, p ratelimit.Priority) *transport.Call {
		c := get()
		c.Service, c.Priority = service, p
		return c
	}
	for _, tt := range []struct {
		name string
		send func(t *testing.T, m *transport.Mesh, call *transport.Call) (more int)
	}{
		{"retries", func(t *testing.T, m *transport.Mesh, call *transport.Call) int {
			_ = m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Refused().Outcome }))
			return call.Attempts() - 1
		}},
		{"second attempts", func(t *testing.T, m *transport.Mesh, call *transport.Call) int {
			fast := get() // or the service as a whole would be slow
			fast.Service, fast.Priority = call.Service, call.Priority
			_ = m.Do(t.Context(), fast, &racer{mesh: m, first: fairleadtest.OK()})
			fast.Release()
			r := &racer{mesh: m, first: fairleadtest.OK().After(hedgeDelay + time.Millisecond), second: fairleadtest.Hung()}
			_ = m.Do(t.Context(), call, r)
			call.Release()
			synctest.Wait()
			return len(r.called) - 1
		}},
	} {
		for _, order := range [][]ratelimit.Priority{{sheddable, ordinary}, {sheddable, critical}, {ordinary, sheddable}} {
			t.Run(tt.name+", first those of "+order[0].String()+" calls", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fleet := fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "a", "b"), fairleadtest.Instances("archive", "x", "y")...)...)
					m := knowing(t, newMesh(t, fleet, inAnyCase(), hedging(), transport.WithRetry(retry.Policy{MaxAttempts: 2}),
						transport.WithBudget(retry.BudgetConfig{MinPerSecond: 1, Ratio: 0.0001})))
					for _, p := range order {
						more := 0
						for range 20 {
							more += tt.send(t, m, call("archive", p))
							more += tt.send(t, m, call("orders", p))
						}
						if more < 9 || more > 12 { // ten at once, and one each second
							t.Errorf("%d are made of %v calls, want ten", more, p)
						}
					}
				})
			})
		}
	}
	t.Run("it shows", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := knowing(t, newMesh(t, orders("a", "b"), inAnyCase()))
			_ = m.Do(t.Context(), call("orders", sheddable), acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Refused().Outcome }))
			if d := service(t, m); d.BudgetRemaining != 100 || d.BulkBudgetRemaining != 98 {
				t.Errorf("%d and %d could be made yet", d.BudgetRemaining, d.BulkBudgetRemaining)
			}
		})
	})
}

// A budget that several meshes share bounds all retries, whatever calls they are of.
func TestASharedBudgetHoldsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a", "b")
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithSharedBudget(budgetOf(0.5))))
		retries := 0
		for n := range 60 {
			call := get()
			call.Priority = ratelimit.Priority(n%3 - 1)
			_ = m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Refused().Outcome }))
			retries += call.Attempts() - 1
		}
		if retries > 5+12 {
			t.Errorf("%d retries, 17 may be made", retries)
		}
	})
}

// The less important are refused first, as soon as there are more important ones.
func TestTheLessImportantAreRefusedFirst(t *testing.T) {
	tests := []struct {
		name   string
		option transport.Option
		hold   bool // calls go on
	}{
		{"a rate", transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.001, Burst: 100}), false},
		{"calls in flight", transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 100}), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				m := knowing(t, newMesh(t, fleet, tt.option, transport.WithBalancing(balancer.Balancing{OutlierDetection: balancer.OutlierDetection{Off: true}})))
				passed := map[ratelimit.Priority]int{}
				for n := range 300 {
					call := get()
					call.Priority = ratelimit.Priority(1 - n%3)
					err := m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.OK().Outcome }))
					if err == nil {
						passed[call.Priority]++
					} else if !errors.Is(err, ratelimit.ErrRate) && !errors.Is(err, ratelimit.ErrConcurrency) {
						t.Fatal(err)
					}
					if !tt.hold {
						call.Release()
					} else {
						t.Cleanup(call.Release)
					}
				}
				if !(passed[critical] > passed[ordinary] && passed[ordinary] > passed[sheddable]) || passed[critical]+passed[ordinary]+passed[sheddable] != 100 {
					t.Errorf("passed are %v", passed)
				}
			})
		})
	}
}
