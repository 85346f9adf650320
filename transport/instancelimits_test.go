package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// each bounds the calls at each instance.
func each(max int) transport.Option {
	return transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Max: max})
}

// fill has so many calls go on at an instance until the test ends.
func fill(t *testing.T, m *transport.Mesh, picks *fairleadtest.Picks, calls int, ids ...string) {
	t.Helper()
	for _, id := range ids {
		picks.To(id)
		for range calls {
			endless(t, m, get())
		}
	}
	picks.To(ids...)
}

// readyGate is a door's: only these are connected.
type readyGate []string

func (g readyGate) Ready(n *balancer.Node) bool {
	for _, id := range g {
		if n.ID() == id {
			return true
		}
	}
	return false
}

// An instance that is at its limit is passed over, by whatever way a call comes to
// choose. Where all are, it is refused, and nothing overrules that.
func TestAFullInstanceIsPassedOver(t *testing.T) {
	tests := []struct {
		name    string
		options []transport.Option
		full    string // the instances that are
		picks   string // first; those that are full by default
		prepare func(*transport.Call)
		gate    transport.Gate
		play    map[string]fairleadtest.Reply
		called  string // in order; "": it is refused
		another string // as good
	}{
		{name: "none is full", full: "", picks: "a", called: "a"},
		{name: "one is", full: "a", called: "b", another: "c"},
		{name: "two are", full: "a b", called: "c"},
		{name: "all are", full: "a b c", called: ""},
		{name: "a call that goes to who is available", full: "a", prepare: func(c *transport.Call) {
			c.Apply(transport.WithCall(context.Background(), transport.Tolerate(rule.Available)))
		}, called: "b"},
		{name: "a retry", full: "b", picks: "a b", play: map[string]fairleadtest.Reply{"a": fairleadtest.Refused()}, called: "a c"},
		{name: "only those who are connected are asked", full: "a", gate: readyGate{"a", "c"}, called: "c"},
		{name: "those who are not connected are no way out", full: "a", gate: readyGate{"a"}, called: ""},
		{name: "a pinned call is refused", full: "a", picks: "b", prepare: func(c *transport.Call) {
			c.Apply(transport.WithCall(context.Background(), transport.Instance("a")))
		}, called: ""},
		{name: "a pinned call to another", full: "a", picks: "a", prepare: func(c *transport.Call) {
			c.Apply(transport.WithCall(context.Background(), transport.Instance("b")))
		}, called: "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet, picks := orders("a", "b", "c"), new(fairleadtest.Picks)
				m := knowing(t, newMesh(t, fleet, transport.WithBalancing(balancer.Balancing{Policy: picks, OutlierDetection: balancer.OutlierDetection{Off: true}}), each(2), transport.WithPinning()))
				if tt.full != "" {
					fill(t, m, picks, 2, strings.Fields(tt.full)...)
				}
				if tt.picks != "" {
					picks.To(strings.Fields(tt.picks)...)
				}
				for id, reply := range tt.play {
					fleet.Play(id, reply)
				}
				call := get()
				if tt.prepare != nil {
					tt.prepare(call)
				}
				door := fleet.Door(m)
				err := m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					if tt.gate == nil {
						return door.Try(ctx, call)
					}
					lease, err := m.Acquire(ctx, call, tt.gate)
					if err != nil {
						return transport.Outcome{Err: err}
					}
					fleet.Forget()
					lease.Done(fairleadtest.OK().Outcome)
					if got := lease.Node().ID(); got != tt.called {
						t.Errorf("it went to %s", got)
					}
					return fairleadtest.OK().Outcome
				}))
				if tt.called == "" {
					e := asError(t, err)
					r, _ := errors.AsType[*transport.Refusal](err)
					if e.Stage != transport.StageLimit || e.Attempts != 0 || !errors.Is(err, ratelimit.ErrConcurrency) || r == nil || r.Limit != "code per instance" {
						t.Errorf("error is %v", err)
					}
					if l := limitNamed(t, m, "code per instance"); l.Refused != [3]int64{0, 1, 0} || l.InFlight != 2*len(strings.Fields(tt.full)) || l.Concurrency != 6 {
						t.Errorf("%+v", l)
					}
					return
				}
				if got := strings.Join(fleet.Called(), " "); err != nil || tt.gate == nil && got != tt.called && got != tt.another {
					t.Errorf("called %s: %v", got, err)
				}
			})
		})
	}
}

// Where the instances of a route are full, its fallback is asked, and the other way
// round.
func TestFullSubsets(t *testing.T) {
	tests := []struct {
		name   string
		full   string
		called string // "": it is refused
	}{
		{"none", "", "v1-a v1-b"},
		{"one of the route", "v1-a", "v1-b"},
		{"all of the route", "v1-a v1-b", "v2-a v2-b"},
		{"and one of the fallback", "v1-a v1-b v2-a", "v2-b"},
		{"all of both, though there are others", "v1-a v1-b v2-a v2-b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				route := to("v1")
				route.Fallback = "v2"
				g, picks := versions("v1-a", "v1-b", "v2-a", "v2-b", "v3-a"), new(fairleadtest.Picks)
				p := ordersPolicy(to("v1"))
				m := obeying(t, g, ordersPolicy(), transport.WithPolicy(picks), each(1))
				if tt.full != "" {
					fill(t, m, picks, 1, strings.Fields(tt.full)...)
				}
				p.Spec.Routes[0] = route
				g.Put(p)
				settled()
				picks.To()
				if tt.called != "" {
					for id := range strings.FieldsSeq(g.goesTo(t, m)) {
						if !strings.Contains(tt.called, id) {
							t.Errorf("a call goes to %s", id)
						}
					}
				} else if err := m.Do(t.Context(), get(), g.Door(m)); !errors.Is(err, ratelimit.ErrConcurrency) {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
	t.Run("a fallback that is chosen from, since the route has nobody", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			route := to("v1")
			route.Fallback = "v2"
			g, picks := versions("v2-a", "v2-b"), new(fairleadtest.Picks)
			m := obeying(t, g, ordersPolicy(route), transport.WithPolicy(picks), each(1))
			fill(t, m, picks, 1, "v2-a")
			if got := g.goesTo(t, m); got != "v2-b" {
				t.Errorf("calls go to %s", got)
			}
		})
	})
}

// A fallback that is chosen from, since the instances of the route fail, is chosen
// from again where the one that was picked is full.
func TestAFullInstanceOfAFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		route := to("v1")
		route.Fallback = "v2"
		g, picks := versions("v1-a", "v2-a", "v2-b"), new(fairleadtest.Picks)
		m := obeying(t, g, ordersPolicy(route), transport.WithBalancing(balancer.Balancing{Policy: picks, OutlierDetection: balancer.OutlierDetection{Off: true}}), each(1))
		g.Play("v1-a", fairleadtest.Status(500))
		for range 50 {
			_ = m.Do(t.Context(), put(), g.Door(m))
		}
		g.Forget()
		picks.To("v2-a")
		endless(t, m, get())
		for range 30 {
			_ = m.Do(t.Context(), put(), g.Door(m))
		}
		if got := g.called(); got != "v2-b" {
			t.Errorf("calls go to %s", got)
		}
	})
}

// A second attempt never goes where the first is, nor to an instance that is full; it
// is not made then, which is no refusal of the call.
func TestASecondAttemptFindsAllOthersFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, picks := orders("a", "b", "c"), new(fairleadtest.Picks)
		m := knowing(t, newMesh(t, fleet, transport.WithPolicy(picks), each(2), hedging()))
		fill(t, m, picks, 2, "b", "c")
		picks.To("a", "b")
		r := &racer{mesh: m, first: fairleadtest.OK().After(time.Second), second: fairleadtest.OK()}
		call := get()
		err := m.Do(t.Context(), call, r)
		call.Release()
		if got := strings.Join(r.called, " "); err != nil || got != "a" || r.answer != "first" {
			t.Errorf("called %s: %v", got, err)
		}
		synctest.Wait()
		if l := limitNamed(t, m, "code per instance"); l.Refused != [3]int64{} || m.Pressure("orders").RefusedPerSecond != 0 {
			t.Errorf("it counts as a refused call: %+v", l)
		}
	})
}

// Panic mode and open breakers overrule no limit.
func TestNothingOverrulesAFullInstance(t *testing.T) {
	t.Run("panic mode", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fleet := orders("a")
			m := knowing(t, newMesh(t, fleet, each(1)))
			fleet.Play("a", fairleadtest.Status(500))
			for range 10 {
				_ = m.Do(t.Context(), get(), fleet.Door(m))
			}
			settled()
			if mode := service(t, m).Choices[""].Mode; mode != balancer.Panic {
				t.Fatalf("mode is %v", mode)
			}
			endless(t, m, get())
			fleet.Forget()
			if err := m.Do(t.Context(), get(), fleet.Door(m)); !errors.Is(err, ratelimit.ErrConcurrency) {
				t.Errorf("called %v: %v", fleet.Called(), err)
			}
		})
	})
	t.Run("breakers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fleet, picks := orders("a", "b", "c", "d"), new(fairleadtest.Picks)
			m := knowing(t, newMesh(t, fleet, transport.WithBalancing(balancer.Balancing{Policy: picks, OutlierDetection: balancer.OutlierDetection{Off: true}}),
				each(1), transport.WithBreaker(rule.PerInstance, breaker.Config{ConsecutiveFailures: 1, OpenFor: time.Hour})))
			for _, id := range []string{"a", "b", "c"} {
				picks.To(id)
				fleet.Play(id, fairleadtest.Status(500))
				_ = m.Do(t.Context(), get(), fleet.Door(m))
			}
			fill(t, m, picks, 1, "d") // the only one whose breaker is closed
			fleet.Forget()
			for range 30 {
				picks.To("a", "b", "c", "d")
				_ = m.Do(t.Context(), get(), fleet.Door(m))
			}
			for _, id := range fleet.Called() {
				if id == "d" {
					t.Fatal("the breakers' way out leads to the instance that is full")
				}
			}
			if len(fleet.Called()) != 30 {
				t.Errorf("called %v", fleet.Called())
			}
		})
	})
}

// A call to every instance goes to those that have room, and says that it did not go
// to all.
func TestABroadcastMeetsAFullInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, picks := orders("a", "b", "c"), new(fairleadtest.Picks)
		m := knowing(t, newMesh(t, fleet, transport.WithPolicy(picks), each(1)))
		fill(t, m, picks, 1, "b")
		call := get()
		call.Apply(transport.WithCall(t.Context(), transport.Tolerate(rule.Broadcast)))
		err := m.Do(t.Context(), call, fleet.Door(m))
		if !errors.Is(err, ratelimit.ErrConcurrency) || strings.Join(fleet.Called(), " ") != "a c" {
			t.Errorf("called %v: %v", fleet.Called(), err)
		}
	})
}

// What is at hand is better than a refusal: where no instance has room for another
// attempt, none is made and it costs no budget.
func TestNoRetryWhereAllAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, picks := orders("a", "b"), new(fairleadtest.Picks)
		m := knowing(t, newMesh(t, fleet, transport.WithPolicy(picks), each(1), transport.WithRetry(retry.Policy{On: retry.Overload})))
		fill(t, m, picks, 1, "b")
		picks.To("a")
		var ends []func()
		fleet.Play("a", fairleadtest.Status(503))
		call := get()
		err := m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
			o := fleet.Door(m).Try(ctx, call)
			ends = append(ends, endless(t, m, get())) // somebody takes the place
			return o
		}))
		if err != nil || call.Attempts() != 1 || service(t, m).Retries != 0 || service(t, m).BudgetRemaining != 100 {
			t.Errorf("%d attempts, %d retries could be made: %v", call.Attempts(), service(t, m).BudgetRemaining, err)
		}
	})
}

// What was learned of an instance survives documents and lists, and ends with the
// instance. Other bounds hold for what was learned.
func TestWhatIsLearnedOfInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v1-b")
		p := ordersPolicy()
		p.Spec.Concurrency = []rule.Concurrency{{Name: "each", Per: "instance", Adaptive: &rule.Adaptive{Min: 1, Max: 50, Initial: 10}}}
		m := obeying(t, g, p, inAnyCase())
		limit := func() int { return limitNamed(t, m, "each").Concurrency }
		if limit() != 20 {
			t.Fatalf("two instances begin with %d", limit())
		}
		g.Play("v1-a", endingAs(transport.Timeout).After(time.Millisecond))
		for range 2000 {
			_ = m.Do(t.Context(), put(), g.Door(m))
		}
		low := limit()
		if low >= 20 {
			t.Fatalf("the limit is %d of 20 after timeouts", low)
		}
		g.Add(fairleadtest.Instances("orders", "v2-a")...)
		p.Spec.Retries.MaxAttempts = 2
		g.Put(p)
		settled()
		if got := limit(); got != low+10 {
			t.Errorf("with another instance and other rules the limits are %d, want %d", got, low+10)
		}
		p.Spec.Concurrency[0].Adaptive = &rule.Adaptive{Min: 30, Max: 50, Initial: 30}
		g.Put(p)
		settled()
		if got := limit(); got != 90 {
			t.Errorf("with other bounds the limits are %d, want 90", got)
		}
	})
}
