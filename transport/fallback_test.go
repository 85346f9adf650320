package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// replaceable is an attempt whose answer can be something else than the service's.
type replaceable struct {
	transport.Attempt
	call   *transport.Call
	status int
	value  string
	refuse error
}

func (r *replaceable) Answer(status int, value string) error {
	r.status, r.value = status, value
	return r.refuse
}

func (r *replaceable) Redirect(service string) error {
	r.call.Service = service
	return r.refuse
}

// falling is a rule with a fallback.
func falling(f rule.OnFailure) transport.Option {
	return ruled(rule.Spec{Service: "orders", OnFailure: &f, Timeout: rule.Duration(time.Minute)})
}

// spares are orders, and archive which stands in for it.
func spares() *fairleadtest.Fleet {
	return fairleadtest.NewFleet(append(fairleadtest.Instances("orders", "a"), fairleadtest.Instances("archive", "z")...)...)
}

func TestFallbackValue(t *testing.T) {
	value := falling(rule.OnFailure{Value: `{"items":[]}`, HTTPStatus: 203})
	tests := []struct {
		name    string
		options []transport.Option
		reply   fairleadtest.Reply
		end     func(context.Context) (context.Context, context.CancelFunc)
		instead bool
	}{
		{"an answer stays", []transport.Option{value}, fairleadtest.OK(), nil, false},
		{"a refused connection", []transport.Option{value}, fairleadtest.Refused(), nil, true},
		{"a failure that was answered", []transport.Option{value}, fairleadtest.Status(500), nil, true},
		{"a timeout by rule", []transport.Option{value}, fairleadtest.Hung(), nil, true},
		{"the caller's deadline", []transport.Option{value}, fairleadtest.Hung(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, true},
		{"who gives up gets nothing", []transport.Option{value}, fairleadtest.Hung(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, false},
		{"nor who says why", []transport.Option{value}, fairleadtest.Hung(), func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(errors.New("the user has left")) })
			return ctx, func() { cancel(nil) }
		}, false},
		{"a service that code does not allow", []transport.Option{falling(rule.OnFailure{Service: "archive"})}, fairleadtest.Refused(), nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := spares()
				fleet.Play("a", tt.reply)
				m := knowing(t, newMesh(t, fleet, tt.options...))
				settled()
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if tt.end != nil {
					ctx, cancel = tt.end(ctx)
				}
				defer cancel()
				call := get()
				var last context.Context
				sub := &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					last = ctx
					return fleet.Door(m).Try(ctx, call)
				})}
				err := m.Do(ctx, call, sub)
				if instead := sub.value != ""; instead != tt.instead || instead && (err != nil || call.Failed() || sub.status != 203) {
					t.Errorf("%d %s instead: %v", sub.status, sub.value, err)
				}
				if d := service(t, m); (d.FellBack == 1) != tt.instead || d.Unanswerable != 0 {
					t.Errorf("the dump says %+v", d.AttemptsDump)
				}
				if (tt.instead || err != nil) && last.Err() == nil {
					t.Error("the time of the call still runs")
				}
			})
		})
	}
}

func TestFallbackService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := spares()
		fleet.Play("a", fairleadtest.Reset().After(time.Second))
		m := knowing(t, newMesh(t, fleet, inAnyCase(), falling(rule.OnFailure{Service: "archive"}), transport.WithFallbackServices("archive"),
			transport.WithRetry(retry.Policy{MaxAttempts: 1})))
		settled()
		begun := time.Now()
		call := get()
		deadline := time.Time{}
		sub := &replaceable{call: call, Attempt: tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
			deadline, _ = ctx.Deadline()
			return fleet.Door(m).Try(ctx, call)
		})}
		if err := m.Do(t.Context(), call, sub); err != nil || strings.Join(fleet.Called(), " ") != "a z" || call.Failed() {
			t.Fatalf("called %v: %v", fleet.Called(), err)
		}
		if got := deadline.Sub(begun); got != time.Minute {
			t.Errorf("the second service has %v", got)
		}
		// It is called once, and what fails there is the caller's to see.
		fleet.Play("z", fairleadtest.Refused())
		fleet.Forget()
		call = get()
		sub.call = call
		err := m.Do(t.Context(), call, sub)
		if e := asError(t, err); e.Service != "archive" || strings.Join(fleet.Called(), " ") != "a z" || !e.MaybeExecuted {
			t.Errorf("called %v: %+v", fleet.Called(), e)
		}
		// Where it cannot be redirected the failure stays, and that is told.
		call = get()
		err = m.Do(t.Context(), call, &replaceable{call: call, Attempt: fleet.Door(m), refuse: errors.New("the body is gone")})
		if e := asError(t, err); e.Service != "orders" || service(t, m).Unanswerable != 1 {
			t.Errorf("error is %+v", e)
		}
	})
}

// What the rules of one service say of calls does not hold for another.
func TestARedirectedCallGoesByItsOwnRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := spares()
		fleet.Play("a", fairleadtest.Refused())
		fleet.Play("z", fairleadtest.Reset())
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithFallbackServices("archive"), ruled(rule.Spec{
			Service: "orders", Idempotent: new(true), OnFailure: &rule.OnFailure{Service: "archive"}})))
		settled()
		call := put()
		asError(t, m.Do(t.Context(), call, &replaceable{call: call, Attempt: fleet.Door(m)}))
		if got := strings.Join(fleet.Called(), " "); got != "a a a z" {
			t.Errorf("called %s: what may not be executed twice is", got)
		}
	})
}

// A call with too little time, and one that nobody is there for, fall back too.
func TestFallbackWithoutAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders(), falling(rule.OnFailure{Value: "[]"})))
		settled()
		sub := &replaceable{Attempt: instant{m}}
		if err := m.Do(t.Context(), get(), sub); err != nil || sub.value != "[]" {
			t.Errorf("%v", err)
		}
		err := m.Do(t.Context(), get(), instant{m}) // which is no Substitute
		if !errors.Is(err, balancer.ErrNoInstances) || service(t, m).Unanswerable != 1 {
			t.Errorf("error is %v", err)
		}
	})
}

func TestFaultTolerance(t *testing.T) {
	lost := fairleadtest.Refused()
	tests := []struct {
		name    string
		mode    rule.FaultTolerance
		failing string
		called  string
		fails   bool
		empty   bool
	}{
		{"failover", rule.Failover, "a b", "a b c", false, false},
		{"failfast", rule.Failfast, "a", "a", true, false},
		{"failsafe", rule.Failsafe, "a", "a", false, true},
		{"broadcast", rule.Broadcast, "", "a b c", false, false},
		{"broadcast, one fails", rule.Broadcast, "b", "a b c", true, false},
		{"broadcast, all fail", rule.Broadcast, "a b c", "a b c", true, false},
		{"available", rule.Available, "", "a", false, false},
		{"available, the first fails", rule.Available, "a", "a b", false, false},
	}
	for _, tt := range tests {
		// Said by code of the mesh, by rules over another word of code, and of the call
		// over another word of the rules.
		for how, options := range map[string][]transport.Option{
			"mesh": {transport.WithFaultTolerance(tt.mode)},
			"rule": {transport.WithFaultTolerance(rule.Failfast), ruled(rule.Spec{Service: "orders", FaultTolerance: tt.mode.String()})},
			"call": {ruled(rule.Spec{Service: "orders", FaultTolerance: "failfast"})},
		} {
			t.Run(tt.name+" by "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fleet := orders("a", "b", "c")
					for id := range strings.FieldsSeq(tt.failing) {
						fleet.Play(id, lost)
					}
					m := knowing(t, newMesh(t, fleet, append(options, inAnyCase())...))
					settled()
					call := put()
					if how == "call" {
						call.Apply(transport.WithCall(t.Context(), transport.Tolerate(tt.mode)))
					}
					sub := &replaceable{Attempt: fleet.Door(m)}
					err := m.Do(t.Context(), call, sub)
					if got := strings.Join(fleet.Called(), " "); got != tt.called || (err != nil) != tt.fails || (sub.status == 204) != tt.empty {
						t.Errorf("called %s, status %d: %v", got, sub.status, err)
					}
					if err != nil {
						if e := asError(t, err); e.Attempts != len(fleet.Called()) || e.Class != transport.Lost || !errors.Is(err, lost.Outcome.Err) {
							t.Errorf("error is %+v", e)
						}
					}
				})
			})
		}
	}
}

// A broadcast reaches all, on a route with a fallback too, and tells which failed.
func TestBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v1-b", "v2-a")
		route := to("v1")
		route.Fallback, route.FaultTolerance = "v2", "broadcast"
		m := obeying(t, g, ordersPolicy(route), inAnyCase())
		g.Play("v1-b", fairleadtest.Status(500))
		for range 20 { // until it counts as failing
			m.Do(t.Context(), get(), g.Door(m))
		}
		g.Forget()
		door := &holding{Attempt: g.Door(m)}
		e := asError(t, m.Do(t.Context(), get(), door))
		if got := strings.Join(g.Called(), " "); got != "v1-a v1-b" || e.Instance != "v1-b" || !strings.Contains(e.Error(), "1 of 2 instances: it answered 0") || door.discarded.Load() != 2 {
			t.Errorf("called %s, %d answers thrown away: %v", got, door.discarded.Load(), e)
		}
	})
}

// Code says of one call more than rules of many, and these more than code of all.
func TestPrecedenceOfIdempotent(t *testing.T) {
	for _, tt := range []struct {
		door       bool
		rule, code *bool
		twice      bool
	}{
		{false, nil, nil, false}, {true, nil, nil, true},
		{false, new(true), nil, true}, {true, new(false), nil, false},
		{false, new(true), new(false), false}, {true, new(false), new(true), true}, {false, nil, new(true), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			fleet := orders("a", "b")
			fleet.Play("a", fairleadtest.Reset())
			m := knowing(t, newMesh(t, fleet, inAnyCase(), ruled(rule.Spec{Service: "orders", Idempotent: tt.rule})))
			settled()
			call := &transport.Call{Service: "orders", Protocol: discovery.HTTP, Idempotent: tt.door}
			if tt.code != nil {
				call.Apply(transport.WithCall(t.Context(), transport.Idempotent(*tt.code)))
			}
			m.Do(t.Context(), call, fleet.Door(m))
			if twice := len(fleet.Called()) == 2; twice != tt.twice {
				t.Errorf("%+v: called %v", tt, fleet.Called())
			}
		})
	}
}

// Switches take features out of service within a second, those of code as well.
func TestSwitchesOfAttempts(t *testing.T) {
	for _, tt := range []struct {
		off   string
		spec  rule.Spec
		reply fairleadtest.Reply
		works func(*racer, error) bool
	}{
		{"timeout", rule.Spec{Retries: rule.Retries{PerTryTimeout: rule.Duration(time.Second)}}, fairleadtest.OK().After(2 * time.Second),
			func(_ *racer, err error) bool { return err != nil }},
		{"hedge", rule.Spec{}, fairleadtest.OK().After(2 * time.Second), func(r *racer, _ error) bool { return r.won.Load() == 1 }},
		{"circuitBreaker", rule.Spec{CircuitBreaker: &rule.CircuitBreaker{Mode: "open", Scope: "service"}}, fairleadtest.OK(),
			func(_ *racer, err error) bool { return err != nil }},
		{"retries", rule.Spec{}, fairleadtest.Refused(), func(r *racer, _ error) bool { return len(r.called) > 1 }},
		{"faultTolerance", rule.Spec{FaultTolerance: "broadcast"}, fairleadtest.OK(), func(r *racer, _ error) bool { return len(r.called) > 1 }},
	} {
		t.Run(tt.off, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("a", "b")
				p := ordersPolicy()
				tt.spec.Service = "orders"
				p.Spec = tt.spec
				options := []transport.Option{inAnyCase()}
				if tt.off == "hedge" {
					options = append(options, hedging())
				}
				m := obeying(t, g, p, options...)
				try := func() bool {
					r := &racer{mesh: m, first: tt.reply, second: fairleadtest.OK()}
					err := m.Do(t.Context(), get(), r)
					return tt.works(r, err)
				}
				if !try() {
					t.Error("it does not work to begin with")
				}
				g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: []string{tt.off}}}})
				settled()
				if try() {
					t.Error("it works although it is off")
				}
				g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind})
				settled()
				if !try() {
					t.Error("it does not come back")
				}
			})
		})
	}
}
