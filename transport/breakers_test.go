package transport_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// breakerAfter opens after so many failures in a row.
func breakerAfter(failures int) breaker.Config {
	return breaker.Config{ConsecutiveFailures: failures, OpenFor: time.Second, ProbeTimeout: time.Second}
}

// broken is a rule of a breaker that opens after three failures in a row.
func broken(mode, scope string) *rule.CircuitBreaker {
	return &rule.CircuitBreaker{Mode: mode, Scope: scope, ConsecutiveFailures: 3, OpenFor: rule.Duration(time.Minute)}
}

func breakerRule(b *rule.CircuitBreaker) rule.Policy {
	p := ordersPolicy()
	p.Spec.Subsets, p.Spec.CircuitBreaker = nil, b
	return p
}

// A breaker of the service or of the method is final: no other instance would help.
func TestAnOpenBreakerIsFinal(t *testing.T) {
	for _, scope := range []rule.Scope{rule.PerService, rule.PerMethod} {
		t.Run(scope.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b", "c")
				m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithBreaker(scope, breakerAfter(3))))
				for _, id := range []string{"a", "b", "c"} {
					fleet.Play(id, fairleadtest.Status(500))
				}
				for range 3 {
					m.Do(t.Context(), get(), fleet.Door(m))
				}
				fleet.Forget()
				before := service(t, m).BudgetRemaining
				for range 100 {
					err := m.Do(t.Context(), get(), fleet.Door(m))
					if e := asError(t, err); e.Stage != transport.StageBreaker || e.Class != transport.Neutral || e.Attempts != 0 || e.MaybeExecuted || !errors.Is(err, breaker.ErrOpen) {
						t.Fatalf("error is %+v", e)
					}
				}
				d := service(t, m)
				if len(fleet.Called()) != 0 || d.BudgetRemaining != before || d.Breakers.Rejected != 100 || d.Breakers.States["open"] != 1 || d.Retries != 0 {
					t.Errorf("called %v; %+v", fleet.Called(), d.Breakers)
				}
				if s := d.Instances[0].Stats; s.Outstanding != 0 {
					t.Errorf("%+v", s)
				}
				other := get()
				other.Method = "List"
				if err := m.Do(t.Context(), other, fleet.Door(m)); (err == nil) != (scope == rule.PerMethod) {
					t.Errorf("another method: %v", err)
				}
				for _, id := range []string{"a", "b", "c"} {
					fleet.Play(id)
				}
				time.Sleep(2 * time.Second)
				if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil || service(t, m).Breakers.States["closed"] == 0 {
					t.Errorf("it does not close: %v", err)
				}
			})
		})
	}
}

// The attempt that opens it is the last of its call: what it brought is handed out,
// and no retry is paid for that would be rejected.
func TestTheAnswerThatOpensABreakerIsHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a", "b")
		fleet.Play("a", answered(503))
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithBreaker(rule.PerService, breakerAfter(1)), transport.WithRetry(retry.Policy{On: retry.Overload})))
		before := service(t, m).BudgetRemaining
		call, door := get(), &holding{Attempt: fleet.Door(m)}
		if err := m.Do(t.Context(), call, door); err != nil || !call.Failed() || door.discarded.Load() != 0 || service(t, m).BudgetRemaining != before {
			t.Errorf("%d answers were thrown away: %v", door.discarded.Load(), err)
		}
	})
}

// A call that an instance's breaker refuses goes to another; where all refuse, one of
// them gets it nonetheless.
func TestBreakersOfInstances(t *testing.T) {
	tests := []struct {
		failing   string
		goesTo    string
		overruled bool
	}{
		{"", "a b c d e", false},
		{"a", "b c d e", false},
		{"a c", "b d e", false},
		{"a b d", "c e", false},
		{"a b c d e", "a b c d e", true},
	}
	for _, tt := range tests {
		t.Run("failing are "+tt.failing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("a", "b", "c", "d", "e")
				m := knowing(t, newMesh(t, g, inAnyCase(), transport.WithBreaker(rule.PerInstance, breaker.Config{ConsecutiveFailures: 3, OpenFor: time.Hour})))
				for id := range strings.FieldsSeq(tt.failing) {
					g.Play(id, fairleadtest.Status(500))
				}
				for range 200 {
					m.Do(t.Context(), get(), g.Door(m))
				}
				if got := service(t, m).Breakers.States["open"]; int(got) != len(strings.Fields(tt.failing)) {
					t.Errorf("%d are open", got)
				}
				for id := range strings.FieldsSeq(tt.failing) {
					g.Play(id)
				}
				was := service(t, m).Breakers.Overruled
				if got := g.goesTo(t, m); got != tt.goesTo {
					t.Errorf("goes to %s", got)
				}
				if d := service(t, m).Breakers; d.Overruled > was != tt.overruled || len(d.Unwell) != len(strings.Fields(tt.failing)) {
					t.Errorf("%d were overruled, %d are unwell", d.Overruled-was, len(d.Unwell))
				}
			})
		})
	}
}

func TestModesOfBreakers(t *testing.T) {
	for _, scope := range []string{"instance", "method", "service"} {
		for mode, want := range map[string]struct{ open, rejects bool }{
			"on": {true, scope != "instance"}, "observe": {true, false}, "off": {false, false}, "open": {false, true},
		} {
			t.Run(scope+" "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := versions("a")
					m := obeying(t, g, breakerRule(broken(mode, scope)), inAnyCase())
					g.Play("a", fairleadtest.Status(500))
					for range 5 {
						m.Do(t.Context(), get(), g.Door(m))
					}
					g.Forget()
					err := m.Do(t.Context(), get(), g.Door(m))
					if rejected := errors.Is(err, breaker.ErrOpen); rejected != want.rejects || rejected != (len(g.Called()) == 0) {
						t.Errorf("called %v: %v", g.Called(), err)
					}
					if d := service(t, m).Breakers; (d.States["open"] == 1) != want.open || d.Scope != scope {
						t.Errorf("%+v", d)
					}
				})
			})
		}
	}
}

// What a change of the rules does to an open breaker.
func TestRulesAndTheStateOfBreakers(t *testing.T) {
	stricter := broken("", "service")
	stricter.ConsecutiveFailures = 4
	tests := []struct {
		name string
		then []*rule.CircuitBreaker
		open bool
	}{
		{"the same again", []*rule.CircuitBreaker{broken("on", "service")}, true},
		{"observed meanwhile", []*rule.CircuitBreaker{broken("observe", "service"), broken("", "service")}, true},
		{"off meanwhile", []*rule.CircuitBreaker{broken("off", "service"), broken("", "service")}, true},
		{"off meanwhile, as a switch says it", []*rule.CircuitBreaker{{Mode: "off"}, broken("", "service")}, true},
		{"forced open meanwhile", []*rule.CircuitBreaker{broken("open", "service"), broken("", "service")}, true},
		{"another threshold", []*rule.CircuitBreaker{stricter}, false},
		{"another scope", []*rule.CircuitBreaker{broken("", "method")}, false},
		{"none meanwhile", []*rule.CircuitBreaker{nil, broken("", "service")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("a")
				m := obeying(t, g, breakerRule(broken("", "service")), inAnyCase())
				g.Play("a", fairleadtest.Status(500))
				for range 3 {
					m.Do(t.Context(), get(), g.Door(m))
				}
				for _, b := range tt.then {
					p := breakerRule(b)
					p.Spec.Timeout = rule.Duration(time.Hour) // so that there is something new
					g.Put(p)
					settled()
				}
				if err := m.Do(t.Context(), get(), g.Door(m)); errors.Is(err, breaker.ErrOpen) != tt.open {
					t.Errorf("then: %v", err)
				}
			})
		})
	}
}

// Trap 21 and 25: nobody is judged by what is not its doing.
func TestTrap21NeutralOutcomesOpenNoBreaker(t *testing.T) {
	late := transport.Outcome{Class: transport.Timeout, Err: context.DeadlineExceeded, Sent: true, Late: true}
	for _, scope := range []rule.Scope{rule.PerInstance, rule.PerMethod, rule.PerService} {
		synctest.Test(t, func(t *testing.T) {
			fleet := orders("a", "b")
			m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithBreaker(scope, breakerAfter(1))))
			for _, id := range []string{"a", "b"} {
				fleet.Play(id, fairleadtest.Hung())
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			m.Do(ctx, get(), fleet.Door(m)) // the caller gives up
			m.Do(t.Context(), get(), acquiring(m, func(transport.Lease) transport.Outcome { return late }))
			m.Do(t.Context(), get(), acquiring(m, func(transport.Lease) transport.Outcome {
				return transport.Outcome{Class: transport.Neutral, Err: errors.New("we refused it ourselves")}
			}))
			m.Acquire(t.Context(), get(), only("")) // nobody is ready
			if d := service(t, m).Breakers; d.States["open"] != 0 || d.States["closed"] == 0 || len(d.Unwell) != 0 {
				t.Errorf("%v: %+v", scope, d)
			}
		})
	}
}

// Copies that fail say nothing of the service that the calls go to.
func TestCopiesOpenNoBreakerOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		route := to("v1")
		route.Mirror = &rule.Mirror{Subset: "v2", Percent: 100_00}
		p := ordersPolicy(route)
		p.Spec.CircuitBreaker = broken("", "service")
		m := obeying(t, g, p, inAnyCase())
		g.Play("v2-a", fairleadtest.Status(500))
		for range 10 {
			if err := m.Do(t.Context(), get(), copiedDoor{g.Door(m)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := g.called(); got != "v1-a v2-a" || service(t, m).Breakers.States["open"] != 0 {
			t.Errorf("called %s; %+v", got, service(t, m).Breakers)
		}
	})
}

type copiedDoor struct{ transport.Attempt }

func (c copiedDoor) Copy(int) transport.Attempt { return c.Attempt }

// An instance that comes under the number of one that left has a breaker of its own.
func TestANewInstanceHasANewBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("a", "b", "c")
		m := knowing(t, newMesh(t, g, inAnyCase(), transport.WithBreaker(rule.PerInstance, breaker.Config{ConsecutiveFailures: 1, OpenFor: time.Hour})))
		for n := range 20 {
			id := fmt.Sprint("x", n)
			g.Add(fairleadtest.Instances("orders", id)...)
			settled()
			g.Play(id, fairleadtest.Status(500))
			for range 8 {
				m.Do(t.Context(), get(), g.Door(m))
			}
			if d := service(t, m).Breakers; d.States["open"] != 1 || d.Unwell[0].Name != "orders at "+id {
				t.Fatalf("%d: %+v", n, d)
			}
			g.Drain(id)
			settled()
			g.Remove(id)
			time.Sleep(time.Minute)
			if d := service(t, m).Breakers; d.States["open"] != 0 || len(d.Unwell) != 0 {
				t.Fatalf("%d: of an instance that has left %+v is told", n, d.Unwell)
			}
		}
	})
}

// Trap 20, the probe that hangs: it holds its place for ProbeTimeout only.
func TestTrap20AHungProbeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithBreaker(rule.PerService, breakerAfter(1))))
		fleet.Play("a", fairleadtest.Status(500))
		m.Do(t.Context(), get(), fleet.Door(m))
		time.Sleep(1100 * time.Millisecond)
		hung, err := m.Acquire(t.Context(), get(), nil) // without Do
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Acquire(t.Context(), get(), nil); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("beside the probe: %v", err)
		}
		time.Sleep(1100 * time.Millisecond)
		fleet.Play("a")
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Errorf("after its time: %v", err)
		}
		hung.Done(fairleadtest.Status(500).Outcome)
		if d := service(t, m).Breakers; d.States["closed"] != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// Behind a gate, as in gRPC, only those that are ready stand in for one that is
// broken off.
func TestBreakersBehindAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b", "c", "d"), inAnyCase(), transport.WithBreaker(rule.PerInstance, breaker.Config{ConsecutiveFailures: 1, OpenFor: time.Hour})))
		got := []string{}
		for range 40 {
			lease, err := m.Acquire(t.Context(), get(), only("a c"))
			if err != nil {
				t.Fatal(err)
			}
			o := ended
			if lease.Node().ID() == "a" {
				o = fairleadtest.Status(500).Outcome
			}
			got = append(got, lease.Node().ID())
			lease.Done(o)
		}
		slices.Sort(got)
		if got := strings.Join(slices.Compact(got), " "); got != "a c" || service(t, m).Breakers.Overruled != 0 {
			t.Errorf("went to %s, %d overruled", got, service(t, m).Breakers.Overruled)
		}
	})
}

// No breaker is charged with a call that only asks whether there is an instance.
func TestAProbeAsksNoBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("a")
		m := obeying(t, g, breakerRule(broken("open", "service")))
		lease, err := m.Acquire(t.Context(), &transport.Call{Service: "orders", Protocol: discovery.HTTP, Probe: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		lease.Done(transport.Outcome{})
	})
}

// Law 4: what opens is told, in the log, the dump and to the observer.
func TestChangesOfBreakersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		events := make(chan transport.Event, 10)
		fleet := orders("a", "b")
		m := knowing(t, newMesh(t, fleet, log.option(), inAnyCase(), transport.WithBreaker(rule.PerInstance, breakerAfter(2)),
			transport.WithObserver(func(e transport.Event) { events <- e })))
		fleet.Play("a", fairleadtest.Status(500))
		for range 4 {
			m.Do(t.Context(), get(), fleet.Door(m))
		}
		synctest.Wait()
		e := <-events
		if e.Kind != transport.BreakerChanged || e.Service != "orders" || e.Instance != "a" || e.Text != "open: consecutive-failures" || e.Time.IsZero() {
			t.Errorf("told %+v", e)
		}
		if log.lines("circuit breaker is open") != 1 || log.lines("orders at a") != 1 {
			t.Errorf("the log says %s", log.text.String())
		}
	})
}

// One allocation is gobreaker's.
func TestWhatABreakerAllocates(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []transport.Option
		most    float64
	}{
		{"none", nil, 0},
		{"instance", []transport.Option{transport.WithBreaker(rule.PerInstance, breaker.Config{})}, 1},
		{"method", []transport.Option{transport.WithBreaker(rule.PerMethod, breaker.Config{})}, 1},
		{"service", []transport.Option{transport.WithBreaker(rule.PerService, breaker.Config{})}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshOf(t, 10, append(tt.options, transport.WithBalancing(balancer.Balancing{}))...)
			for range 100 {
				warm(t, m)
			}
			call, ctx := new(transport.Call), t.Context()
			if got := testing.AllocsPerRun(1000, func() {
				*call = transport.Call{Service: "orders", Method: "Get", Protocol: discovery.HTTP}
				lease, err := m.Acquire(ctx, call, nil)
				if err != nil {
					t.Fatal(err)
				}
				lease.Done(ended)
			}); got > tt.most {
				t.Errorf("%v allocations", got)
			}
		})
	}
}
