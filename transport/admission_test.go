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

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// admits returns an admission for servers of orders.
func admits(t testing.TB, m *transport.Mesh, c transport.AdmissionConfig) *transport.Admission {
	t.Helper()
	a, err := m.Admission("orders", c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serving is a policy of servers, and how they obey it.
func serving(s rule.Server) rule.Policy {
	p := ordersPolicy()
	p.Spec.Server = &s
	return p
}

func arrival(p ratelimit.Priority) transport.Arrival {
	return transport.Arrival{Method: "Get", Priority: p, Request: &seen{path: "/"}}
}

// admitted takes calls on until one is refused, at most so many, and returns how many
// there were and why there are no more.
func admitted(t testing.TB, a *transport.Admission, most int, call transport.Arrival) (all []transport.Admitted, err error) {
	t.Helper()
	for range most {
		one, err := a.Admit(t.Context(), call)
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

func done(all []transport.Admitted, class transport.Class) {
	for _, one := range all {
		one.Done(class)
	}
}

func admissionLimit(t testing.TB, a *transport.Admission, name string) transport.LimitDump {
	t.Helper()
	if l := a.Dump().Limits; l != nil {
		for _, l := range l.Limits {
			if l.Name == name {
				return l
			}
		}
	}
	t.Fatalf("there is no limit %q", name)
	return transport.LimitDump{}
}

// What a server takes on, by what code says.
func TestAdmissionByCode(t *testing.T) {
	tests := []struct {
		name   string
		config transport.AdmissionConfig
		most   int // of thirty at once
		is     error
		after  time.Duration // when to come again
	}{
		{"nothing is said: a learned limit, which begins with twenty", transport.AdmissionConfig{}, 20, ratelimit.ErrConcurrency, time.Second},
		{"so many at a time", transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 7}}, 7, ratelimit.ErrConcurrency, time.Second},
		{"so many in a time", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 0.5, Burst: 3}}, 3, ratelimit.ErrRate, 2 * time.Second},
		{"both", transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 2}, Rate: ratelimit.RateConfig{Rate: 0.5, Burst: 3}}, 2, ratelimit.ErrConcurrency, time.Second},
		{"more than come", transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 30}}, 30, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := admits(t, newMesh(t, orders()), tt.config)
				all, err := admitted(t, a, 30, arrival(ordinary))
				if len(all) != tt.most || !errors.Is(err, tt.is) {
					t.Errorf("%d are taken on, want %d: %v", len(all), tt.most, err)
				}
				if r, _ := err.(*transport.Refusal); tt.is != nil && (r == nil || r.Limit != "code" || r.Priority != ordinary || math.Abs(float64(r.RetryAfter-tt.after)) > float64(time.Millisecond)) {
					t.Errorf("%+v", err)
				}
				if n := a.Dump().Limits.Limits; len(n) == 0 || n[len(n)-2].InFlight != tt.most {
					t.Errorf("%+v", n)
				}
				done(all, transport.Success)
				for _, l := range a.Dump().Limits.Limits {
					if l.InFlight != 0 {
						t.Errorf("at the end %+v", l)
					}
				}
			})
		})
	}
}

func TestBadAdmission(t *testing.T) {
	m := newMesh(t, orders())
	for name, tt := range map[string]struct {
		service string
		config  transport.AdmissionConfig
		want    string
	}{
		"a service that cannot be": {"Orders", transport.AdmissionConfig{}, "Orders"},
		"calls in flight":          {"orders", transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: -1}}, "ConcurrencyConfig.Max is -1"},
		"a rate":                   {"orders", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: math.NaN()}}, "RateConfig.Rate is NaN"},
		"a burst without a rate":   {"orders", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Burst: 3}}, "RateConfig.Rate is 0"},
	} {
		if _, err := m.Admission(tt.service, tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	m.Close(t.Context())
	if _, err := m.Admission("orders", transport.AdmissionConfig{}); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("of a mesh that is closed: %v", err)
	}
}

// The less important leave room for the more important, as soon as there are any.
func TestAdmissionByPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := admits(t, newMesh(t, orders()), transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 10}})
		one := func(p ratelimit.Priority) (held []transport.Admitted) {
			held, _ = admitted(t, a, 10, arrival(p))
			return held
		}
		alone := one(sheddable)
		if len(alone) != 10 {
			t.Errorf("of sheddable calls alone %d are taken on", len(alone))
		}
		done(alone, transport.Success)
		first, _ := a.Admit(t.Context(), arrival(critical))
		low := one(sheddable)
		mid := one(ordinary)
		high := one(critical)
		if a, b, c := 1+len(low), 1+len(low)+len(mid), 1+len(low)+len(mid)+len(high); a < 2 || a >= b || b >= c || c != 10 {
			t.Errorf("beside a critical call %d, %d and %d are taken on", len(low), len(mid), len(high))
		}
		first.Done(transport.Success)
		done(append(append(low, mid...), high...), transport.Success)
		if d := admissionLimit(t, a, "code"); d.Refused[0] == 0 || d.Refused[1] == 0 || d.Refused[2] == 0 || d.InFlight != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// A call whose answer would come too late is not taken on, except for one in a while,
// which finds out whether that is still so.
func TestAdmissionOfACallWithoutTime(t *testing.T) {
	tests := []struct {
		name  string
		rest  time.Duration // that the call has; 0: any
		call  func(*transport.Arrival)
		serve rule.Server
		want  bool // it is taken on
	}{
		{"no deadline", 0, nil, rule.Server{}, true},
		{"enough time", time.Second, nil, rule.Server{}, true},
		{"too little", 10 * time.Millisecond, nil, rule.Server{}, false},
		{"too little for another method, of which nothing is known", 10 * time.Millisecond, func(a *transport.Arrival) { a.Method = "List" }, rule.Server{}, true},
		{"too little for a stream", 10 * time.Millisecond, func(a *transport.Arrival) { a.Stream = true }, rule.Server{}, true},
		{"too little where there is no other limit", 10 * time.Millisecond, nil, rule.Server{Limits: []rule.RateLimit{}, Concurrency: []rule.Concurrency{}}, false},
		{"too little where all is off", 10 * time.Millisecond, nil, rule.Server{Off: true}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("v1-a")
				m := newMesh(t, g)
				a := admits(t, m, transport.AdmissionConfig{})
				for range 100 {
					one, err := a.Admit(t.Context(), arrival(ordinary))
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(100 * time.Millisecond)
					one.Done(transport.Success)
				}
				g.Put(serving(tt.serve))
				settled()
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if tt.rest != 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.rest)
				}
				defer cancel()
				call := arrival(critical)
				if tt.call != nil {
					tt.call(&call)
				}
				one, err := a.Admit(ctx, call) // may find out
				if err == nil {
					one.Done(transport.Neutral)
					one, err = a.Admit(ctx, call)
				}
				if (err == nil) != tt.want {
					t.Fatalf("error is %v", err)
				}
				if err == nil {
					one.Done(transport.Success)
					return
				}
				if r, _ := err.(*transport.Refusal); !errors.Is(err, transport.ErrNoTime) || r == nil || r.Limit != "deadline" || r.Priority != critical {
					t.Errorf("error is %+v", err)
				}
				if d := admissionLimit(t, a, "deadline"); d.Kind != "deadline" || d.Refused[2] == 0 || a.Pressure().Level != 1 {
					t.Errorf("%+v, pressure %+v", d, a.Pressure())
				}
				for _, l := range a.Dump().Limits.Limits {
					if l.InFlight != 0 {
						t.Errorf("it holds %+v", l)
					}
				}
			})
		})
	}
}

// The section server of the rules says more, while calls come.
func TestAdmissionByRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		m := newMesh(t, g)
		a := admits(t, m, transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 5}})
		settings := func(off ...string) {
			g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: off}}})
		}
		three := rule.Server{Concurrency: []rule.Concurrency{{Name: "three", Max: 3}}}
		steps := []struct {
			name string
			does func()
			most int // of ten at once
		}{
			{"code alone", func() {}, 5},
			{"rules in its place", func() { g.Put(serving(three)) }, 3},
			{"a rate beside code's calls in flight", func() {
				g.Put(serving(rule.Server{Limits: []rule.RateLimit{{Name: "two", Rate: hourly(1), Burst: 2}}}))
			}, 2},
			{"that rate still holds", func() {}, 0},
			{"none, whatever code said", func() { g.Put(serving(rule.Server{Concurrency: []rule.Concurrency{}})) }, 10},
			{"off", func() { g.Put(serving(rule.Server{Off: true, Concurrency: three.Concurrency})) }, 10},
			{"on again", func() { g.Put(serving(three)) }, 3},
			{"switched off for all", func() { settings("server") }, 10},
			{"and on", func() { settings() }, 3},
			{"a bad document changes nothing", func() { g.PutText("orders", []byte("{}")) }, 3},
			{"limits of clients are none of its business", func() {
				p := serving(three)
				p.Spec.Limits, p.Spec.Concurrency = []rule.RateLimit{{Name: "x", Rate: hourly(1), Burst: 1}}, []rule.Concurrency{{Name: "y", Max: 1}}
				g.Put(p)
			}, 3},
			{"the rules are taken away", func() { g.PutText("orders", nil) }, 5},
		}
		for _, s := range steps {
			s.does()
			settled()
			all, _ := admitted(t, a, 10, arrival(ordinary))
			if len(all) != s.most {
				t.Errorf("%s: %d are taken on, want %d", s.name, len(all), s.most)
			}
			done(all, transport.Success)
		}
		d := a.Dump()
		if d.Service != "orders" || !d.Live || d.Refusals != 1 || d.Trouble != "" {
			t.Errorf("%+v", d)
		}
		if all := m.Dump().Admissions; len(all) != 1 || all[0].Service != "orders" {
			t.Errorf("the mesh shows %+v", all)
		}
	})
}

// Calls that are worked on count on under rules that come meanwhile, and whoever is
// taken on while all is off is no burden later.
func TestAdmissionOutlivesDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		limit := func(max int) rule.Policy {
			return serving(rule.Server{Concurrency: []rule.Concurrency{{Name: "some", Max: max}}})
		}
		g.Put(limit(3))
		a := admits(t, newMesh(t, g), transport.AdmissionConfig{})
		settled()
		all, _ := admitted(t, a, 2, arrival(ordinary))
		g.Put(limit(5))
		settled()
		more, err := admitted(t, a, 10, arrival(ordinary))
		if len(more) != 3 {
			t.Errorf("%d more are taken on beside two of five: %v", len(more), err)
		}
		g.Put(serving(rule.Server{Off: true}))
		settled()
		if d := a.Dump(); d.Limits != nil || a.Pressure().Level != 0 {
			t.Errorf("while it is off: %+v", d)
		}
		free, _ := admitted(t, a, 3, arrival(ordinary))
		done(append(all, more[:2]...), transport.Success)
		g.Put(limit(5))
		settled()
		if d := admissionLimit(t, a, "some"); d.InFlight != 1 {
			t.Errorf("after it was off: %+v", d)
		}
		done(append(free, more[2]), transport.Success)
		if d := admissionLimit(t, a, "some"); d.InFlight != 0 {
			t.Errorf("at the end: %+v", d)
		}
	})
}

// It decides on when the mesh is closed.
func TestAdmissionAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		g.Put(serving(rule.Server{Concurrency: []rule.Concurrency{{Name: "three", Max: 3}}}))
		m := newMesh(t, g)
		a := admits(t, m, transport.AdmissionConfig{})
		settled()
		m.Close(t.Context())
		all, err := admitted(t, a, 10, arrival(ordinary))
		if len(all) != 3 || !errors.Is(err, ratelimit.ErrConcurrency) {
			t.Errorf("%d are taken on: %v", len(all), err)
		}
		done(all, transport.Success)
	})
}

// Servers of two services in one process, or two servers of one, count by themselves,
// each by its own rules.
func TestTwoAdmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		g.Put(serving(rule.Server{Concurrency: []rule.Concurrency{{Name: "three", Max: 3}}}))
		m := newMesh(t, g)
		first, second := admits(t, m, transport.AdmissionConfig{}), admits(t, m, transport.AdmissionConfig{})
		other, err := m.Admission("archive", transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 5}})
		if err != nil {
			t.Fatal(err)
		}
		settled()
		for n, a := range []*transport.Admission{first, second, other} {
			all, _ := admitted(t, a, 10, arrival(ordinary))
			if want := []int{3, 3, 5}[n]; len(all) != want {
				t.Errorf("%d: %d are taken on, want %d", n, len(all), want)
			}
			defer done(all, transport.Success)
		}
	})
}

// What its rules look at may be missing.
func TestAdmissionOfACallThatShowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		g.Put(serving(rule.Server{Limits: []rule.RateLimit{
			{Name: "matched", Rate: hourly(1), Burst: 1, Match: []rule.Match{{Path: &rule.Text{Prefix: "/x"}, Headers: map[string]rule.Text{"a": {Present: true}}}}},
			{Name: "callers", Rate: hourly(1), Burst: 1, Per: "caller"},
			{Name: "tenants", Rate: hourly(1), Burst: 9, Per: "header:tenant"},
		}}))
		a := admits(t, newMesh(t, g), transport.AdmissionConfig{})
		settled()
		all, err := admitted(t, a, 10, transport.Arrival{Method: "Get"})
		if r, _ := err.(*transport.Refusal); len(all) != 1 || r == nil || r.Limit != "callers" {
			t.Errorf("%d are taken on: %v", len(all), err)
		}
		done(all, transport.Success)
	})
}

// A call waits for a place where the rules let it; whose time is up in the wait is
// told so, holds nothing and counts as no refusal.
func TestAdmissionAfterAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := admits(t, newMesh(t, orders()), transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 1, MaxWait: time.Second}})
		first, err := a.Admit(t.Context(), arrival(ordinary))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := a.Admit(ctx, arrival(ordinary)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		if d := admissionLimit(t, a, "code"); d.Refused != [3]int64{} || d.InFlight != 1 || d.Waiting != 0 {
			t.Errorf("%+v", d)
		}
		time.AfterFunc(500*time.Millisecond, func() { first.Done(transport.Success) })
		second, err := a.Admit(t.Context(), arrival(ordinary))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Admit(t.Context(), arrival(ordinary)); !errors.Is(err, ratelimit.ErrConcurrency) {
			t.Errorf("error is %v", err)
		}
		second.Done(transport.Success)
		if d := admissionLimit(t, a, "code"); d.Refused != [3]int64{0, 1, 0} || d.InFlight != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// What ends of calls teach a limit that learns.
func TestWhatAnAdmissionLearnsFrom(t *testing.T) {
	tests := []struct {
		name   string
		end    transport.Class
		stream bool
		want   string // of the limit
	}{
		{"success", transport.Success, false, "up"},
		{"the application refuses", transport.Overload, false, "down"},
		{"time is up", transport.Timeout, false, "down"},
		{"failure", transport.Failure, false, "same"},
		{"the client is lost", transport.Lost, false, "same"},
		{"neutral", transport.Neutral, false, "same"},
		{"a stream", transport.Success, true, "same"},
		{"a stream whose time is up", transport.Timeout, true, "same"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := admits(t, newMesh(t, orders()), transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{
					Adaptive: &ratelimit.AdaptiveConfig{Min: 1, Max: 100, Initial: 20},
				}})
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() {
						for range 500 {
							call := arrival(ordinary)
							call.Stream = tt.stream
							one, err := a.Admit(t.Context(), call)
							time.Sleep(20 * time.Millisecond)
							if err == nil {
								one.Done(tt.end)
							}
						}
					})
				}
				all.Wait()
				d := admissionLimit(t, a, "code")
				got := "same"
				switch {
				case d.Concurrency > 20:
					got = "up"
				case d.Concurrency < 20:
					got = "down"
				}
				if got != tt.want || d.InFlight != 0 {
					t.Errorf("it goes %s, want %s: %+v", got, tt.want, d)
				}
			})
		})
	}
}

// That calls are refused is logged, and told to an observer, at most every ten
// seconds.
func TestAdmissionTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logged)
		told := make(chan transport.Event, 100)
		a := admits(t, newMesh(t, orders(), log.option(), transport.WithObserver(func(e transport.Event) { told <- e })),
			transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 0.001, Burst: 1}})
		for range 12 {
			all, _ := admitted(t, a, 10, arrival(ordinary))
			done(all, transport.Success)
			time.Sleep(time.Second)
		}
		var events []transport.Event
		for len(told) > 0 {
			events = append(events, <-told)
		}
		if got := log.lines("calls are refused by this server"); got != 2 || len(events) != 2 || events[0].Kind != transport.LimitReached || !strings.Contains(events[0].Text, `server: limit "code"`) {
			t.Errorf("%d lines, %+v", got, events)
		}
	})
}

// What a call holds already when a limit refuses it is given back.
func TestAdmissionHoldsNothingOfARefusedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		g.Put(serving(rule.Server{Concurrency: []rule.Concurrency{{Name: "many", Max: 100}, {Name: "few", Max: 1}}}))
		a := admits(t, newMesh(t, g), transport.AdmissionConfig{})
		settled()
		all, _ := admitted(t, a, 1, arrival(ordinary))
		for range 10 {
			_, err := a.Admit(t.Context(), arrival(ordinary))
			if r, _ := err.(*transport.Refusal); r == nil || r.Limit != "few" {
				t.Fatal(err)
			}
		}
		if d := admissionLimit(t, a, "many"); d.InFlight != 1 {
			t.Errorf("%+v", d)
		}
		done(all, transport.Success)
	})
}

func TestAdmissionUnderLoad(t *testing.T) {
	g := versions("v1-a")
	m := newMesh(t, g)
	a := admits(t, m, transport.AdmissionConfig{})
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := range 500 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				call := arrival(ratelimit.Priority(n%3 - 1))
				call.Stream = n%7 == 0
				if one, err := a.Admit(ctx, call); err == nil {
					one.Done(transport.Class((n + w) % 6))
				}
				cancel()
			}
		})
	}
	for n := range 20 {
		g.Put(serving(rule.Server{Off: n%5 == 4, Concurrency: []rule.Concurrency{{Name: "some", Max: 1 + n, Per: []string{"service", "method", "class"}[n%3]}}}))
		a.Dump()
		a.Pressure()
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	eventually(t, "none is worked on", func() bool {
		d := a.Dump()
		if d.Limits == nil {
			return false
		}
		for _, l := range d.Limits.Limits {
			if l.InFlight != 0 {
				return false
			}
		}
		return true
	})
}
