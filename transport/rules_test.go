package transport_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

func TestLifeOfARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		var log logged
		m := newMesh(t, g, log.option())
		call := func(want string) {
			t.Helper()
			settled()
			if got := g.goesTo(t, m); got != want {
				t.Errorf("calls go to %s, want %s", got, want)
			}
		}
		shows := func(revision, refused int64, live bool) {
			t.Helper()
			settled()
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

// What does not change keeps its pickers, and no instance loses what it
// measured.
func TestWhatARuleLeavesAloneKeepsItsState(t *testing.T) {
	var built atomic.Int64
	counting := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		built.Add(1)
		return balancer.P2CEWMA{}.Picker(c)
	})
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

// Every algorithm that a document may name is one.
func TestEveryAlgorithmIsKnown(t *testing.T) {
	for _, name := range []string{"p2c-ewma", "least-request", "round-robin", "random", "weighted-round-robin", "smooth-weighted", "ring-hash", "maglev"} {
		p := ordersPolicy()
		p.Spec.LoadBalancer.Algorithm = name
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		if got := transport.PolicyOf(name); got == nil || got.String() != name {
			t.Errorf("%q stands for %v", name, got)
		}
	}
}

// Whoever writes rules in a loop keeps nobody busy, and the last that he wrote
// is what counts.
func TestRulesAreTakenInTenTimesASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a")
		m := obeying(t, g, ordersPolicy())
		const seconds = 2
		var last int64
		for range seconds * 1000 {
			last = g.PutText("orders", []byte("{}"))
			time.Sleep(time.Millisecond)
		}
		settled()
		if r := service(t, m).Rules; r.Refusals < 10*seconds-1 || r.Refusals > 10*seconds+2 || r.RefusedRevision != last {
			t.Errorf("%d documents were taken in in %d s, the last was %d of %d", r.Refusals, seconds, r.RefusedRevision, last)
		}
	})
}

// highest chooses by the highest bits, which choose the destination, too.
type highest []*balancer.Node

func (h highest) Pick(r balancer.Request) *balancer.Node {
	return h[r.Rand>>32*uint64(len(h))>>32]
}

// Which destination a call goes to says nothing of the instance there: a canary
// of 10 % uses all of its instances alike.
func TestDestinationAndPickAreIndependent(t *testing.T) {
	g := versions("v1-a", "v2-a", "v2-b", "v2-c", "v2-d")
	p := ordersPolicy(rule.Route{Name: "all", Route: []rule.Destination{{Subset: "v1", Weight: 90}, {Subset: "v2", Weight: 10}}})
	m := obeying(t, g, p, transport.WithPolicy(balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker { return highest(c.Nodes) })))
	counts := map[string]int{}
	const calls = 40_000
	for range calls {
		call := get()
		if err := m.Do(t.Context(), call, instant{m}); err != nil {
			t.Fatal(err)
		}
		counts[call.Instance()]++
	}
	for id, share := range map[string]float64{"v1-a": 0.9, "v2-a": 0.025, "v2-b": 0.025, "v2-c": 0.025, "v2-d": 0.025} {
		// Seven standard deviations.
		if want, off := share*calls, 7*math.Sqrt(share*(1-share)*calls); math.Abs(float64(counts[id])-want) > off {
			t.Errorf("%d calls went to %s, want %.0f ± %.0f", counts[id], id, want, off)
		}
	}
}
