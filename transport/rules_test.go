package transport_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
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

// governed is a fleet with rules and settings: a registry.
type governed struct {
	*fairleadtest.Fleet
	*fairleadtest.Rulebook
}

// versions returns orders with instances named after their version: "v1-a".
func versions(ids ...string) governed {
	all := fairleadtest.Instances("orders", ids...)
	for n := range all {
		all[n].Version, _, _ = strings.Cut(all[n].ID, "-")
	}
	return governed{fairleadtest.NewFleet(all...), new(fairleadtest.Rulebook)}
}

// ordersPolicy has the subsets v1 and v2.
func ordersPolicy(routes ...rule.Route) rule.Policy {
	return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "v1", Labels: map[string]string{"version": "v1"}}, {Name: "v2", Labels: map[string]string{"version": "v2"}}},
		Routes:  routes,
	}}
}

// to is a route to one subset.
func to(subset string) rule.Route {
	return rule.Route{Name: "to-" + subset, Route: []rule.Destination{{Subset: subset, Weight: 100}}}
}

// seen is what rules see of a call.
type seen struct {
	path            string
	header, baggage map[string]string
}

func (s *seen) Method() string                      { return "GET" }
func (s *seen) Path() string                        { return s.path }
func (s *seen) Caller() string                      { return "" }
func (s *seen) Key() string                         { return "" }
func (s *seen) Header(h rule.Header) (string, bool) { v, ok := s.header[h.Lower]; return v, ok }
func (s *seen) Query(string) (string, bool)         { return "", false }
func (s *seen) Baggage(n string) (string, bool)     { v, ok := s.baggage[n]; return v, ok }

// obeying returns a mesh over a fleet whose rules are these, in force.
func obeying(t testing.TB, g governed, p rule.Policy, options ...transport.Option) *transport.Mesh {
	t.Helper()
	g.Put(p)
	m := knowing(t, newMesh(t, g, options...))
	obeys(t, m)
	return m
}

// obeys waits until a mesh has heard of the rules of orders. Within a bubble it
// waits for all there is to be done.
func obeys(t testing.TB, m *transport.Mesh) {
	t.Helper()
	for range 10_000 {
		if r := service(t, m).Rules; r != nil && (r.Live || r.Trouble != "") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no rules came")
}

func TestLifeOfARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		var log logged
		m := newMesh(t, g, log.option())
		call := func(want string) {
			t.Helper()
			synctest.Wait()
			g.Forget()
			for range 20 {
				if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
					t.Fatal(err)
				}
			}
			called := g.Called()
			slices.Sort(called)
			if got := strings.Join(slices.Compact(called), " "); got != want {
				t.Errorf("calls go to %s, want %s", got, want)
			}
		}
		shows := func(revision, refused int64, live bool) {
			t.Helper()
			synctest.Wait()
			if r := service(t, m).Rules; r.Revision != revision || r.RefusedRevision != refused || r.Live != live || (r.Refused != "") != (refused != 0) {
				t.Errorf("shown are %+v, want revision %d, refused %d, live %t", r, revision, refused, live)
			}
		}
		call("v1-a v2-a")
		shows(0, 0, true)
		g.Put(ordersPolicy(to("v1")))
		call("v1-a")
		shows(1, 0, true)
		g.PutText("orders", []byte(`{"kind": "?"}`))
		call("v1-a")
		shows(1, 2, true)
		g.PutText("orders", []byte(`{"kind": "!"}`))
		call("v1-a")
		shows(1, 3, true)
		if n := service(t, m).Rules.Refusals; n != 2 {
			t.Errorf("%d refusals, want 2", n)
		}
		g.Put(ordersPolicy(to("v2")))
		call("v2-a")
		shows(4, 0, true)
		g.Lose(true)
		call("v2-a")
		shows(4, 0, false)
		g.Lose(false)
		g.PutText("orders", nil)
		call("v1-a v2-a")
		shows(0, 0, true)
		for line, want := range map[string]int{"rules are in force": 2, "rules were refused": 2, "rules were deleted": 1} {
			if n := log.lines(line); n != want {
				t.Errorf("%d lines say that %s, want %d", n, line, want)
			}
		}
	})
}

func TestRoutesOfACall(t *testing.T) {
	g := versions("v1-a", "v1-b", "v2-a", "v3-a")
	gold := rule.Route{Name: "gold", Match: []rule.Match{{Headers: map[string]rule.Text{"X-Tier": {Exact: "gold"}}}}, Route: to("v2").Route}
	m := obeying(t, g, ordersPolicy(gold, to("v1")))
	for _, c := range []struct {
		name string
		seen *seen
		want []string
	}{
		{"Matches", &seen{header: map[string]string{"x-tier": "gold"}}, []string{"v2-a"}},
		{"Rest", &seen{}, []string{"v1-a", "v1-b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.Forget()
			for range 50 {
				call := get()
				call.Request = c.seen
				if err := m.Do(t.Context(), call, g.Door(m)); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range g.Called() {
				if !slices.Contains(c.want, id) {
					t.Errorf("a call went to %s, allowed are %v", id, c.want)
				}
			}
		})
	}
	// A door that shows nothing is on the route that asks for nothing, and one
	// that does not go through Do as well.
	lease, err := m.Acquire(t.Context(), put(), nil)
	if err != nil || !strings.HasPrefix(lease.Node().ID(), "v1-") {
		t.Errorf("without Do: %v, %v", lease.Node(), err)
	}
	lease.Done(transport.Outcome{})
}

// Fault row 36: a route to nobody is no black hole, unless it says so.
func TestASubsetWithoutInstances(t *testing.T) {
	strict := to("v2")
	strict.Strict = true
	named := to("v2")
	named.Fallback = "v1"
	for _, c := range []struct {
		name  string
		route rule.Route
		want  string
	}{
		{"Open", to("v2"), "v1-a v3-a"},
		{"Fallback", named, "v1-a"},
		{"Strict", strict, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := versions("v1-a", "v3-a")
			m := obeying(t, g, ordersPolicy(c.route), inTurn())
			for range 4 {
				err := m.Do(t.Context(), get(), g.Door(m))
				if c.want == "" {
					if e := asError(t, err); e.Stage != transport.StagePick || !errors.Is(err, balancer.ErrNoInstances) || !strings.Contains(err.Error(), `route "to-v2"`) {
						t.Errorf("the call failed with %v", err)
					}
				} else if err != nil {
					t.Error(err)
				}
			}
			called := g.Called()
			slices.Sort(called)
			if got := strings.Join(slices.Compact(called), " "); got != c.want {
				t.Errorf("calls went to %q, want %q", got, c.want)
			}
		})
	}
}

// When all of the chosen version is down, no call fails: the fallback takes
// over, and hands back once it is up.
func TestTheFallbackTakesOverAndComesBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply fairleadtest.Reply
	}{{"Refused", fairleadtest.Refused()}, {"Erroneous", fairleadtest.Status(500)}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("v1-a", "v1-b", "v2-a", "v2-b", "v2-c", "v2-d")
				route := to("v2")
				route.Fallback = "v1"
				m := obeying(t, g, ordersPolicy(route))
				calls := func(n int) (failed, toV2 int) {
					g.Forget()
					for range n {
						call := get()
						if err := m.Do(t.Context(), call, g.Door(m)); err != nil {
							failed++
						} else if g.Attempts()[len(g.Attempts())-1].Outcome.Class != transport.Success {
							failed++
						}
						time.Sleep(10 * time.Millisecond)
					}
					for _, id := range g.Called() {
						if strings.HasPrefix(id, "v2-") {
							toV2++
						}
					}
					return failed, toV2
				}
				if failed, toV2 := calls(100); failed != 0 || toV2 != 100 {
					t.Fatalf("before: %d failed, %d went to v2", failed, toV2)
				}
				for _, id := range []string{"v2-a", "v2-b", "v2-c", "v2-d"} {
					g.Play(id, c.reply)
				}
				failed, toV2 := calls(2000)
				// What may be retried is; what was answered is passed on until
				// the instance is known to fail.
				if most := map[bool]int{true: 0, false: 80}[c.reply.Outcome.Class == transport.Lost]; failed > most {
					t.Errorf("down: %d calls failed, allowed are %d", failed, most)
				}
				t.Logf("down: %d of 2000 failed, %d attempts went to v2", failed, toV2)
				if toV2 > 200 {
					t.Errorf("down: %d attempts went to v2", toV2)
				}
				for _, id := range []string{"v2-a", "v2-b", "v2-c", "v2-d"} {
					g.Play(id)
				}
				time.Sleep(10 * time.Second)
				if failed, toV2 := calls(200); failed != 0 || toV2 != 200 {
					t.Errorf("up again: %d failed, %d of 200 went to v2", failed, toV2)
				}
			})
		})
	}
}

func TestTimeoutOfARule(t *testing.T) {
	for _, c := range []struct {
		name     string
		deadline time.Duration // of the caller, 0: none
		stream   bool
		took     time.Duration
		reason   string
	}{
		{"NoneOfTheCaller", 0, false, time.Second, "the rules of orders give it 1s"},
		{"LaterOfTheCaller", time.Minute, false, time.Second, "the rules of orders give it 1s"},
		{"EarlierOfTheCaller", 100 * time.Millisecond, false, 100 * time.Millisecond, "context deadline exceeded"},
		{"Stream", time.Minute, true, time.Minute, "context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions("v1-a")
				p := ordersPolicy(rule.Route{Name: "all"})
				p.Spec.Timeout = rule.Duration(time.Second)
				m := obeying(t, g, p)
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				g.Play("v1-a", fairleadtest.Hung())
				call, start := get(), time.Now()
				call.Stream = c.stream
				err := m.Do(ctx, call, g.Door(m))
				if e := asError(t, err); e.Class != transport.Timeout || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != c.took || !strings.Contains(err.Error(), c.reason) {
					t.Errorf("after %s: %v", time.Since(start), err)
				}
			})
		})
	}
}

func TestAttemptsOfARule(t *testing.T) {
	g := versions("v1-a", "v1-b", "v1-c", "v1-d", "v1-e")
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		g.Play("v1-"+id, fairleadtest.Refused())
	}
	one := rule.Route{Name: "one", Match: []rule.Match{{Path: &rule.Text{Exact: "/one"}}}, Retries: rule.RouteRetries{MaxAttempts: 1}}
	p := ordersPolicy(one)
	p.Spec.Retries.MaxAttempts = 5
	m := obeying(t, g, p)
	for path, want := range map[string]int{"/one": 1, "/other": 5} {
		call := get()
		call.Request = &seen{path: path}
		if err := m.Do(t.Context(), call, g.Door(m)); err == nil || call.Attempts() != want {
			t.Errorf("%s: %d attempts, want %d: %v", path, call.Attempts(), want, err)
		}
	}
}

func TestBudgetOfARule(t *testing.T) {
	g := versions("v1-a")
	p := ordersPolicy()
	p.Spec.Retries.Budget.MinPerSecond = 50
	m := obeying(t, g, p, transport.WithBudget(retry.BudgetConfig{MinPerSecond: 7}))
	if n := service(t, m).BudgetRemaining; n != 500 {
		t.Errorf("%d retries remain, want those of the rule: 500", n)
	}
	g.PutText("orders", nil)
	eventually(t, "those of the code: 70", func() bool { return service(t, m).BudgetRemaining == 70 })
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 10_000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// What does not change keeps its pickers, and no instance loses what it
// measured.
func TestWhatARuleLeavesAloneKeepsItsState(t *testing.T) {
	var built atomic.Int64
	counting := func(nodes []*balancer.Node) balancer.Picker {
		built.Add(1)
		return balancer.P2CEWMA(nodes)
	}
	g := versions("v1-a", "v1-b", "v2-a")
	m := obeying(t, g, ordersPolicy(to("v1")), transport.WithPolicy(counting))
	call := func() string {
		t.Helper()
		c := get()
		if err := m.Do(t.Context(), c, g.Door(m)); err != nil {
			t.Fatal(err)
		}
		return c.Instance()
	}
	in := func(revision int64) func() bool {
		return func() bool { return service(t, m).Rules.Revision == revision }
	}
	call()
	before := built.Load()
	other := to("v1")
	other.Name, other.Timeout = "renamed", rule.Duration(time.Minute)
	eventually(t, "the next revision", in(g.Put(ordersPolicy(other))))
	call()
	if n := built.Load(); n != before {
		t.Errorf("%d pickers were made for rules that choose as before", n-before)
	}
	g.Remove("v2-a")
	eventually(t, "the list without v2-a", func() bool { return len(service(t, m).Instances) == 2 })
	call()
	if n := built.Load(); n > before+1 { // that over all
		t.Errorf("%d pickers were made for a subset that stayed", n-before-1)
	}
	p := ordersPolicy(to("v1"))
	p.Spec.LoadBalancer.Algorithm = "round-robin"
	eventually(t, "round robin", in(g.Put(p)))
	if a, b, c := call(), call(), call(); a == b || b == c || a != c {
		t.Errorf("round robin over two instances chooses %s, %s, %s", a, b, c)
	}
	latencies := 0
	for _, n := range service(t, m).Instances {
		if n.Stats.Latency > 0 {
			latencies++
		}
	}
	if latencies != 2 {
		t.Errorf("%d instances still know their latency, want 2", latencies)
	}
}

// A call that began under one revision ends under it, however often its
// attempts come back.
func TestNoCallSeesAMixtureOfTwoRevisions(t *testing.T) {
	g := versions("v1-a", "v1-b", "v2-a", "v2-b")
	first := to("v1")
	first.Strict, first.Retries.MaxAttempts = true, 5
	second := to("v2")
	second.Strict, second.Retries.MaxAttempts = true, 1
	m := obeying(t, g, ordersPolicy(first))
	var called []string
	err := m.Do(t.Context(), get(), acquiring(m, func(lease transport.Lease) transport.Outcome {
		if called = append(called, lease.Node().ID()); len(called) == 1 {
			revision := g.Put(ordersPolicy(second))
			eventually(t, "the next revision", func() bool { return service(t, m).Rules.Revision == revision })
		}
		if len(called) < 4 {
			return fairleadtest.Refused().Outcome
		}
		return fairleadtest.OK().Outcome
	}))
	if err != nil || len(called) != 4 || slices.ContainsFunc(called, func(id string) bool { return strings.HasPrefix(id, "v2") }) {
		t.Errorf("attempts went to %v: %v", called, err)
	}
}

func TestLanes(t *testing.T) {
	all := fairleadtest.Instances("orders", "base", "blue", "red")
	all[1].Meta, all[2].Meta = map[string]string{"lane": "blue"}, map[string]string{"lane": "red"}
	g := governed{fairleadtest.NewFleet(all...), new(fairleadtest.Rulebook)}
	p := ordersPolicy()
	p.Spec.Lane = &rule.Lane{Label: "lane", Key: "baggage:lane"}
	m := obeying(t, g, p)
	instance := func(lane string) string {
		t.Helper()
		c := get()
		c.Request = &seen{baggage: map[string]string{"lane": lane}}
		if err := m.Do(t.Context(), c, g.Door(m)); err != nil {
			t.Fatal(err)
		}
		return c.Instance()
	}
	for lane, want := range map[string]string{"": "base", "blue": "blue", "red": "red", "green": "base"} {
		for range 10 {
			if got := instance(lane); got != want {
				t.Errorf("a call of lane %q went to %s, want %s", lane, got, want)
			}
		}
	}
	g.Remove("blue")
	eventually(t, "the lane's end", func() bool { return len(service(t, m).Instances) == 2 })
	if got := instance("blue"); got != "base" {
		t.Errorf("once its lane is gone, a call went to %s", got)
	}
	again := fairleadtest.Instances("orders", "blue-2")
	again[0].Meta = map[string]string{"lane": "blue"}
	g.Add(again...)
	eventually(t, "the lane's return", func() bool { return len(service(t, m).Instances) == 3 })
	if got := instance("blue"); got != "blue-2" {
		t.Errorf("once its lane is back, a call went to %s", got)
	}
}

func TestSwitches(t *testing.T) {
	g := versions("v1-a", "v1-b", "v2-a")
	g.Put(ordersPolicy(to("v2")))
	for _, c := range []struct {
		name     string
		spec     rule.SettingsSpec
		want     string
		attempts int
	}{
		{"None", rule.SettingsSpec{}, "v2-a", 3},
		{"RoutesOff", rule.SettingsSpec{Switches: rule.Switches{Off: []string{"routes"}}}, "v1-a v1-b v2-a", 3},
		{"SafeMode", rule.SettingsSpec{Services: map[string]rule.Switches{"orders": {SafeMode: true}}}, "v1-a v1-b v2-a", 3},
		{"SafeModeElsewhere", rule.SettingsSpec{Services: map[string]rule.Switches{"users": {SafeMode: true}}}, "v2-a", 3},
		{"RetriesOff", rule.SettingsSpec{Switches: rule.Switches{Off: []string{"retries"}}}, "v2-a", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			revision := g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: c.spec})
			m := knowing(t, newMesh(t, g))
			obeys(t, m)
			eventually(t, "the settings", func() bool { return m.Dump().Settings.Revision == revision })
			g.Forget()
			for range 30 {
				if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
					t.Fatal(err)
				}
			}
			called := g.Called()
			slices.Sort(called)
			if got := strings.Join(slices.Compact(called), " "); got != c.want {
				t.Errorf("calls go to %s, want %s", got, c.want)
			}
			call := put()
			_ = m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Refused().Outcome }))
			if call.Attempts() != c.attempts {
				t.Errorf("%d attempts, want %d", call.Attempts(), c.attempts)
			}
		})
	}
}

// Settings that come while a service is called, bad ones, and their end.
func TestLifeOfSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		m := obeying(t, g, ordersPolicy(to("v2")))
		routed := func(want bool) {
			t.Helper()
			synctest.Wait()
			g.Forget()
			for range 20 {
				if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
					t.Fatal(err)
				}
			}
			if got := !slices.Contains(g.Called(), "v1-a"); got != want {
				t.Errorf("calls are routed: %t, want %t", got, want)
			}
		}
		routed(true)
		g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{SafeMode: true}}})
		routed(false)
		g.PutText("", []byte(`{"kind":"Settings"}`))
		routed(false)
		if s := m.Dump().Settings; s.Refused == "" || !s.Spec.SafeMode {
			t.Errorf("bad settings show as %+v", s)
		}
		g.Put(ordersPolicy(to("v1"))) // of which nothing is left
		routed(false)
		g.Put(ordersPolicy(to("v2")))
		g.PutText("", nil)
		routed(true)
	})
}

func TestTelemetryOfARule(t *testing.T) {
	g := versions("v1-a")
	p := ordersPolicy()
	p.Spec.Telemetry.Level = "off"
	m := obeying(t, g, p)
	for range 3 {
		if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
			t.Fatal(err)
		}
	}
	if n := service(t, m).Attempts["success"]; n != 0 {
		t.Errorf("%d attempts were counted", n)
	}
	p.Spec.Telemetry.Level = "full"
	off := obeying(t, versionsWith(g, p), p, transport.WithTelemetry(transport.Off))
	if err := off.Do(t.Context(), get(), g.Door(off)); err != nil {
		t.Fatal(err)
	}
	if n := service(t, off).Attempts["success"]; n != 0 {
		t.Errorf("a rule turned on what code had turned off: %d attempts were counted", n)
	}
}

func versionsWith(g governed, p rule.Policy) governed {
	rules := new(fairleadtest.Rulebook)
	rules.Put(p)
	return governed{g.Fleet, rules}
}

func TestPinning(t *testing.T) {
	g := versions("v1-a", "v1-b", "v2-a")
	ctx := transport.WithCall(t.Context(), transport.Instance("v1-b"))
	call := func(m *transport.Mesh, ctx context.Context) error {
		c := get()
		c.Apply(ctx)
		return m.Do(ctx, c, g.Door(m))
	}
	g.Put(ordersPolicy(to("v2")))
	if err := call(knowing(t, newMesh(t, g)), ctx); !errors.Is(err, transport.ErrPinning) || len(g.Called()) != 0 {
		t.Errorf("not allowed: %v, called %v", err, g.Called())
	}
	m := knowing(t, newMesh(t, g, transport.WithPinning()))
	obeys(t, m)
	for range 10 {
		if err := call(m, ctx); err != nil {
			t.Fatal(err)
		}
	}
	if called := slices.Compact(g.Called()); !slices.Equal(called, []string{"v1-b"}) {
		t.Errorf("pinned calls went to %v", called)
	}
	if err := call(m, transport.WithCall(t.Context(), transport.Instance("nobody"))); !errors.Is(err, transport.ErrPinning) || !errors.Is(err, balancer.ErrNoInstances) {
		t.Errorf("to nobody: %v", err)
	}
	if err := call(m, t.Context()); err != nil || g.Called()[len(g.Called())-1] != "v2-a" {
		t.Errorf("not pinned: %v, %v", err, g.Called())
	}
}

// Every algorithm that a document may name is one.
func TestEveryAlgorithmIsKnown(t *testing.T) {
	nodes := []*balancer.Node{balancer.NewNode(discovery.Instance{ID: "a"}, 0), balancer.NewNode(discovery.Instance{ID: "b"}, 1)}
	kinds := map[string]string{}
	for _, name := range []string{"p2c-ewma", "least-request", "round-robin"} {
		p := ordersPolicy()
		p.Spec.LoadBalancer.Algorithm = name
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		kinds[fmt.Sprintf("%T", transport.PolicyOf(name)(nodes))] = name
	}
	if len(kinds) != 3 {
		t.Errorf("three names stand for %v", kinds)
	}
}
