package transport_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// limitNamed is what the dump says of a limit of the calls to orders.
func limitNamed(t testing.TB, m *transport.Mesh, name string) transport.LimitDump {
	t.Helper()
	if l := service(t, m).Limits; l != nil {
		for _, l := range l.Limits {
			if l.Name == name {
				return l
			}
		}
	}
	t.Fatalf("there is no limit %q", name)
	return transport.LimitDump{}
}

// hourly is a rate at which no token comes in the time of a test.
func hourly(calls float64) rule.Rate { return rule.Rate{Calls: calls, Within: time.Hour} }

// endless begins a call that goes on until it is ended, and returns once it is on its
// way.
func endless(t *testing.T, m *transport.Mesh, call *transport.Call) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	begun := false
	go func() {
		defer close(ended)
		_ = m.Do(ctx, call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
			lease, err := m.Acquire(ctx, call, nil)
			if err != nil {
				return transport.Outcome{Err: err}
			}
			begun = true
			<-ctx.Done()
			o := transport.Outcome{Err: ctx.Err(), Sent: true}
			lease.Done(o)
			return o
		}))
	}()
	synctest.Wait()
	if !begun {
		t.Error("the call is not on its way")
	}
	end = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(end)
	return end
}

// reached are the limits, each with what fills it up.
var reached = []struct {
	name   string
	option transport.Option
	limit  string
	fill   func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet)
	is     error
	after  time.Duration // when to come again
}{
	{"a rate", transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.5, Burst: 1}), "code", func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) {
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Fatal(err)
		}
	}, ratelimit.ErrRate, 2 * time.Second},
	{"calls in flight", transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 1}), "code per service", func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) {
		endless(t, m, get())
	}, ratelimit.ErrConcurrency, 0},
	{"calls at each instance", transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Max: 1}), "code per instance", func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) {
		endless(t, m, get())
	}, ratelimit.ErrConcurrency, 0},
	{"throttling", transport.WithThrottle(ratelimit.ThrottleConfig{MaxReject: 0.9999999}), "throttle", func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet) {
		fleet.Play("a", fairleadtest.Status(503))
		for range 1000 {
			_ = m.Do(t.Context(), put(), fleet.Door(m))
			time.Sleep(time.Millisecond)
		}
		fleet.Play("a")
	}, ratelimit.ErrThrottled, 0},
}

// A call that a limit refuses asks nobody, costs nothing and is nobody's fault. Its
// error says which limit it was, and when to come again if that is known.
func TestARefusedCall(t *testing.T) {
	for _, tt := range reached {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				m := knowing(t, newMesh(t, fleet, tt.option, transport.WithBreaker(rule.PerService, breaker.Config{MinRequests: 1_000_000})))
				tt.fill(t, m, fleet)
				fleet.Forget()
				before, refused := service(t, m), limitNamed(t, m, tt.limit).Refused
				for range 5 {
					err := m.Do(t.Context(), get(), fleet.Door(m))
					e := asError(t, err)
					want := transport.Error{Stage: transport.StageLimit, Service: "orders", Method: "Get", RetryAfter: tt.after, Err: e.Err}
					if math.Abs(float64(e.RetryAfter-tt.after)) < float64(time.Millisecond) {
						want.RetryAfter = e.RetryAfter
					}
					if *e != want || !errors.Is(err, tt.is) {
						t.Errorf("error is %+v", *e)
					}
					if r, ok := errors.AsType[*transport.Refusal](err); !ok || r.Limit != tt.limit || r.Priority != ratelimit.Default || !strings.Contains(err.Error(), tt.limit) {
						t.Errorf("it does not name the limit: %v", err)
					}
				}
				after := service(t, m)
				if len(fleet.Called()) != 0 || after.BudgetRemaining != before.BudgetRemaining || after.Retries != before.Retries ||
					after.Attempts["neutral"] != before.Attempts["neutral"] || after.Breakers.Rejected != 0 {
					t.Errorf("it left traces: %+v", after)
				}
				for n := range after.Instances {
					if after.Instances[n].Stats.Outstanding != before.Instances[n].Stats.Outstanding || after.Instances[n].Stats.Failing != before.Instances[n].Stats.Failing {
						t.Errorf("it is held against %+v", after.Instances[n])
					}
				}
				if got := limitNamed(t, m, tt.limit).Refused; got[1] != refused[1]+5 || got[0] != refused[0] || got[2] != refused[2] {
					t.Errorf("counted are %v, and %v before", got, refused)
				}
			})
		})
	}
}

// That calls are refused is logged, and told to an observer, at most every ten
// seconds.
func TestRefusalsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, log := orders("a"), new(logged)
		var events []transport.Event
		m := knowing(t, newMesh(t, fleet, log.option(), transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.001, Burst: 1}),
			transport.WithObserver(func(e transport.Event) { events = append(events, e) })))
		for range 100 {
			_ = m.Do(t.Context(), get(), fleet.Door(m))
		}
		synctest.Wait()
		if got := log.lines("calls are refused before they are sent"); got != 1 {
			t.Errorf("%d lines were logged", got)
		}
		if len(events) != 1 || events[0].Kind != transport.LimitReached || events[0].Service != "orders" || !strings.Contains(events[0].Text, `"code"`) {
			t.Errorf("told are %+v", events)
		}
		time.Sleep(11 * time.Second)
		_ = m.Do(t.Context(), get(), fleet.Door(m))
		synctest.Wait()
		if len(events) != 2 || log.lines("calls are refused before they are sent") != 2 {
			t.Error("later it is told again")
		}
	})
}

// Of two that stand against a call, the earlier has the word and nothing of the later
// is done.
func TestTheOrderOfLimits(t *testing.T) {
	ended := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	full := rule.Concurrency{Name: "full", Max: 1}
	none := rule.RateLimit{Name: "none", Rate: hourly(1), Burst: 1}
	fill := func(t *testing.T, m *transport.Mesh, _ *fairleadtest.Fleet) { endless(t, m, get()) }
	tests := []struct {
		name  string
		spec  rule.Spec
		fill  func(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet)
		ctx   func(context.Context) context.Context
		call  *transport.Call
		stage transport.Stage
		limit string
		later string // that has refused nobody
	}{
		{"the deadline before limits", rule.Spec{Limits: []rule.RateLimit{none}}, nil, ended, get(), transport.StageSend, "", "none"},
		{"rates in their order", rule.Spec{Limits: []rule.RateLimit{none, {Name: "second", Rate: hourly(1), Burst: 1}}}, fill, nil, get(), transport.StageLimit, "none", "second"},
		{"rates before calls in flight", rule.Spec{Limits: []rule.RateLimit{none}, Concurrency: []rule.Concurrency{full}}, fill, nil, get(), transport.StageLimit, "none", "full"},
		{"calls in flight in their order", rule.Spec{Concurrency: []rule.Concurrency{full, {Name: "second", Max: 1}}}, fill, nil, get(), transport.StageLimit, "full", "second"},
		{"calls in flight before instances", rule.Spec{Concurrency: []rule.Concurrency{{Name: "each", Max: 1, Per: "instance"}, full}}, fill, nil, get(), transport.StageLimit, "full", "each"},
		{"the wait for an instance before limits", rule.Spec{Limits: []rule.RateLimit{none}}, nil, func(ctx context.Context) context.Context {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			context.AfterFunc(ctx, cancel)
			return ctx
		}, waiting(), transport.StageWait, "", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				if tt.call.WaitForReady {
					fleet = orders()
				}
				tt.spec.Service = "orders"
				m := knowing(t, newMesh(t, fleet, ruled(tt.spec)))
				obeys(t, m)
				ctx := t.Context()
				if tt.ctx != nil {
					ctx = tt.ctx(ctx)
				}
				if tt.fill != nil {
					tt.fill(t, m, fleet)
				}
				err := m.Do(ctx, tt.call, never(t))
				if e := asError(t, err); e.Stage != tt.stage {
					t.Errorf("error is %+v", e)
				}
				if r, _ := errors.AsType[*transport.Refusal](err); tt.limit != "" && (r == nil || r.Limit != tt.limit) {
					t.Errorf("error is %v, want of %s", err, tt.limit)
				}
				if got := limitNamed(t, m, tt.later).Refused; got != [3]int64{} {
					t.Errorf("%s refused %v", tt.later, got)
				}
			})
		})
	}
}

// Whoever throttles counts calls that a rate refuses as neither: no attempt was made.
// And what is throttled takes no tokens.
func TestThrottlingStandsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet, transport.WithThrottle(ratelimit.ThrottleConfig{MaxReject: 0.9999999}),
			transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.001, Burst: 2000}), transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 1})))
		fleet.Play("a", fairleadtest.Status(503))
		sent := 0
		for range 3000 {
			if err := m.Do(t.Context(), put(), fleet.Door(m)); err == nil {
				sent++
			}
			time.Sleep(time.Millisecond)
		}
		throttled := limitNamed(t, m, "throttle").Refused[1]
		if sent+int(throttled) != 3000 || throttled < 1000 {
			t.Errorf("%d were sent and %d throttled of 3000", sent, throttled)
		}
		if got := limitNamed(t, m, "code").Refused; got != [3]int64{} {
			t.Errorf("those that are throttled took tokens: %v refused", got)
		}
	})
}

// The caller of a call that a limit refuses gets what the rules have for one that
// fails: a value, or another service, by the limits of which it goes then.
func TestARefusedCallFallsBack(t *testing.T) {
	for _, tt := range reached {
		for _, to := range []rule.OnFailure{{Value: `{"items":[]}`, HTTPStatus: 203}, {Service: "archive"}} {
			t.Run(tt.name+" "+to.Service, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fleet := spares()
					m := knowing(t, newMesh(t, fleet, tt.option, falling(to), transport.WithFallbackServices("archive")))
					obeys(t, m)
					tt.fill(t, m, fleet)
					fleet.Forget()
					call := get()
					sub := &replaceable{call: call, Attempt: fleet.Door(m)}
					err := m.Do(t.Context(), call, sub)
					call.Release()
					if err != nil || (to.Service == "") != (sub.status == 203) || (to.Service != "") != (strings.Join(fleet.Called(), " ") == "z") {
						t.Errorf("called %v, %d instead: %v", fleet.Called(), sub.status, err)
					}
					if d := service(t, m); d.FellBack != 1 {
						t.Errorf("%+v", d.AttemptsDump)
					}
				})
			})
		}
	}
}

// A probe is nobody's call: it is neither counted nor refused.
func TestProbesPassLimits(t *testing.T) {
	for _, tt := range reached {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a")
				m := knowing(t, newMesh(t, fleet, tt.option))
				tt.fill(t, m, fleet)
				before := limitNamed(t, m, tt.limit)
				for range 10 {
					probe := get()
					probe.Probe = true
					if err := m.Do(t.Context(), probe, fleet.Door(m)); err != nil {
						t.Fatal(err)
					}
				}
				if after := limitNamed(t, m, tt.limit); after.Refused != before.Refused || after.InFlight != before.InFlight {
					t.Errorf("%+v, and before %+v", after, before)
				}
			})
		})
	}
}

// What rules say of limits comes in the place of what code does, each by itself, and
// an empty list is none.
func TestRulesAndCodeOfLimits(t *testing.T) {
	code := []transport.Option{
		transport.WithRateLimit(ratelimit.RateConfig{Rate: 100}),
		transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{Max: 10}),
		transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Adaptive: &ratelimit.AdaptiveConfig{}}),
		transport.WithThrottle(ratelimit.ThrottleConfig{}),
	}
	all := "code/rate code per service/concurrency code per instance/instance throttle/throttle"
	off := func(sections ...string) rule.Settings {
		return rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: sections}}}
	}
	tests := []struct {
		name     string
		code     []transport.Option
		spec     rule.Spec
		settings rule.Settings
		want     string
	}{
		{"nothing is said", nil, rule.Spec{}, off(), ""},
		{"code alone", code, rule.Spec{}, off(), all},
		{"rates of rules", code, rule.Spec{Limits: []rule.RateLimit{{Name: "mine", Rate: hourly(1)}}}, off(), "mine/rate code per service/concurrency code per instance/instance throttle/throttle"},
		{"no rates", code, rule.Spec{Limits: []rule.RateLimit{}}, off(), "code per service/concurrency code per instance/instance throttle/throttle"},
		{"calls in flight of rules", code, rule.Spec{Concurrency: []rule.Concurrency{{Name: "mine", Max: 1}}}, off(), "code/rate mine/concurrency throttle/throttle"},
		{"none", code, rule.Spec{Concurrency: []rule.Concurrency{}}, off(), "code/rate throttle/throttle"},
		{"throttling off", code, rule.Spec{Throttle: &rule.Throttle{Off: true}}, off(), "code/rate code per service/concurrency code per instance/instance"},
		{"throttling that code has not", nil, rule.Spec{Throttle: &rule.Throttle{}}, off(), "throttle/throttle"},
		{"nothing at all", code, rule.Spec{Limits: []rule.RateLimit{}, Concurrency: []rule.Concurrency{}, Throttle: &rule.Throttle{Off: true}}, off(), ""},
		{"limits switched off", code, rule.Spec{Limits: []rule.RateLimit{{Name: "mine", Rate: hourly(1)}}}, off("limits"), "code per service/concurrency code per instance/instance throttle/throttle"},
		{"all switched off", code, rule.Spec{Limits: []rule.RateLimit{{Name: "mine", Rate: hourly(1)}}}, off("limits", "concurrency", "throttle"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := ordersPolicy()
				p.Spec.Limits, p.Spec.Concurrency, p.Spec.Throttle = tt.spec.Limits, tt.spec.Concurrency, tt.spec.Throttle
				g := versions("v1-a")
				g.PutSettings(tt.settings)
				m := obeying(t, g, p, tt.code...)
				settled()
				var names []string
				if l := service(t, m).Limits; l != nil {
					for _, l := range l.Limits {
						names = append(names, l.Name+"/"+l.Kind)
					}
				}
				if got := strings.Join(names, " "); got != tt.want {
					t.Errorf("limits are %s", got)
				}
			})
		})
	}
}

// What was counted stays when rules come anew, as long as the limit has its name and
// counts the same; what the settings take away for a while begins anew.
func TestLimitsOutliveDocuments(t *testing.T) {
	base := func() rule.Policy {
		p := ordersPolicy()
		p.Spec.Limits = []rule.RateLimit{{Name: "rate", Rate: hourly(1), Burst: 10}}
		p.Spec.Concurrency = []rule.Concurrency{{Name: "flight", Max: 10}}
		return p
	}
	tests := []struct {
		name   string
		change func(p *rule.Policy)
		rate   int // calls that the rate lets through after five
		flight int // calls that count as in flight after one
	}{
		{"something else", func(p *rule.Policy) { p.Spec.Retries.MaxAttempts = 2 }, 5, 1},
		{"another order", func(p *rule.Policy) {
			p.Spec.Limits = append([]rule.RateLimit{{Name: "first", Rate: hourly(1e7)}}, p.Spec.Limits...)
		}, 5, 1},
		{"a smaller burst", func(p *rule.Policy) { p.Spec.Limits[0].Burst = 3 }, 3, 1},
		{"a wait", func(p *rule.Policy) { p.Spec.Concurrency[0].Wait = rule.Duration(time.Second) }, 5, 1},
		{"other names", func(p *rule.Policy) { p.Spec.Limits[0].Name, p.Spec.Concurrency[0].Name = "r", "f" }, 10, 0},
		{"other calls", func(p *rule.Policy) {
			gets := []rule.Match{{Method: "Get"}}
			p.Spec.Limits[0].Match, p.Spec.Concurrency[0].Match = gets, gets
		}, 10, 0},
		{"another scope", func(p *rule.Policy) { p.Spec.Limits[0].Per, p.Spec.Concurrency[0].Per = "method", "method" }, 10, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("v1-a")
				m := obeying(t, g, base(), transport.WithRetry(retry.Policy{MaxAttempts: 1}))
				for range 4 {
					if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
						t.Fatal(err)
					}
				}
				endless(t, m, get())
				p := base()
				tt.change(&p)
				g.Put(p)
				settled()
				flight := limitNamed(t, m, p.Spec.Concurrency[0].Name).InFlight
				passed := 0
				for range 20 {
					if m.Do(t.Context(), get(), g.Door(m)) == nil {
						passed++
					}
				}
				if passed != tt.rate || flight != tt.flight {
					t.Errorf("%d pass and %d are in flight, want %d and %d", passed, flight, tt.rate, tt.flight)
				}
			})
		})
	}
}

func TestBadLimits(t *testing.T) {
	tests := []struct {
		name    string
		options []transport.Option
		want    string
	}{
		{"a rate of nothing", []transport.Option{transport.WithRateLimit(ratelimit.RateConfig{})}, "WithRateLimit: ratelimit: RateConfig.Rate is 0"},
		{"no calls in flight", []transport.Option{transport.WithConcurrency(rule.PerService, ratelimit.ConcurrencyConfig{})}, "WithConcurrency: ratelimit: ConcurrencyConfig.Max is 0"},
		{"twice the same", []transport.Option{
			transport.WithConcurrency(rule.PerMethod, ratelimit.ConcurrencyConfig{Max: 1}),
			transport.WithConcurrency(rule.PerMethod, ratelimit.ConcurrencyConfig{Max: 2}),
		}, "WithConcurrency: per method is given twice: allowed is once"},
		{"per caller", []transport.Option{transport.WithConcurrency(rule.PerCaller, ratelimit.ConcurrencyConfig{Max: 1})}, "allowed is rule.PerService"},
		{"per nothing that there is", []transport.Option{transport.WithConcurrency(99, ratelimit.ConcurrencyConfig{Max: 1})}, "per is 99"},
		{"a wait at instances", []transport.Option{transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Max: 1, MaxWait: time.Second})}, "MaxWait is 1s: allowed is 0"},
		{"throttling", []transport.Option{transport.WithThrottle(ratelimit.ThrottleConfig{K: 1})}, "WithThrottle: ratelimit: ThrottleConfig.K is 1"},
		{"a gateway", []transport.Option{transport.WithGateway("Edge")}, "Edge"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := transport.New(orders("a"), tt.options...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}
