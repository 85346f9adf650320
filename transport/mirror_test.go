package transport_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// copying is a door whose calls can be copied.
type copying struct {
	transport.Attempt
	again transport.Attempt // nil: not this one
}

func (c copying) Copy(int) transport.Attempt { return c.again }

// mirrored is a route to v1 with copies to v2.
func mirrored(percent rule.Percent) rule.Route {
	r := to("v1")
	r.Mirror = &rule.Mirror{Subset: "v2", Percent: percent}
	return r
}

func TestMirroring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		m := obeying(t, g, ordersPolicy(mirrored(25_00)))
		g.Play("v2-a", fairleadtest.Status(500).After(3*time.Second))
		const calls = 2000
		start := time.Now()
		for range calls {
			if err := m.Do(t.Context(), get(), copying{g.Door(m), g.Door(m)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // 12 copies a second, 3 s each
		}
		if took := time.Since(start); took != calls*20*time.Millisecond {
			t.Errorf("copies delayed the calls by %s", took-calls*20*time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		copies := 0
		for _, id := range g.Called() {
			if id == "v2-a" {
				copies++
			}
		}
		d := service(t, m)
		if copies < calls/5 || copies > calls*3/10 || int64(copies) != d.Rules.Mirrored || d.Rules.Unmirrored != 0 {
			t.Errorf("%d of %d calls were copied, shown are %d and %d dropped", copies, calls, d.Rules.Mirrored, d.Rules.Unmirrored)
		}
		if d.Retries != 0 {
			t.Errorf("%d retries", d.Retries)
		}
	})
}

// Copies that go nowhere are dropped, and counted, and hold up nobody.
func TestCopiesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		m := obeying(t, g, ordersPolicy(mirrored(100_00)))
		g.Play("v2-a", fairleadtest.Hung())
		for range 250 {
			if err := m.Do(t.Context(), get(), copying{g.Door(m), g.Door(m)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if d := service(t, m).Rules; d.Unmirrored != 150 {
			t.Errorf("%d copies were dropped while 100 are on their way, want 150", d.Unmirrored)
		}
		start := time.Now()
		if err := m.Close(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("Close with copies on their way: %v after %s", err, time.Since(start))
		}
	})
}

func TestWhatIsNotMirrored(t *testing.T) {
	for _, c := range []struct {
		name    string
		ids     []string
		attempt func(governed, *transport.Mesh) transport.Attempt
	}{
		{"ADoorThatCannot", []string{"v1-a", "v2-a"}, func(g governed, m *transport.Mesh) transport.Attempt { return g.Door(m) }},
		{"ACallThatCannot", []string{"v1-a", "v2-a"}, func(g governed, m *transport.Mesh) transport.Attempt { return copying{g.Door(m), nil} }},
		{"WithoutInstances", []string{"v1-a"}, func(g governed, m *transport.Mesh) transport.Attempt { return copying{g.Door(m), g.Door(m)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions(c.ids...)
				m := obeying(t, g, ordersPolicy(mirrored(100_00)))
				if err := m.Do(t.Context(), get(), c.attempt(g, m)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if d := service(t, m).Rules; d.Mirrored != 0 || d.Unmirrored != 1 || !slices.Equal(g.Called(), []string{"v1-a"}) {
					t.Errorf("%d sent, %d dropped, called %v", d.Mirrored, d.Unmirrored, g.Called())
				}
			})
		})
	}
}

// A call that is not begun has no copy.
func TestACallThatIsOverIsNotMirrored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		m := obeying(t, g, ordersPolicy(mirrored(100_00)))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Do(ctx, get(), copying{g.Door(m), g.Door(m)}); err == nil {
			t.Error("the call went well")
		}
		synctest.Wait()
		if len(g.Called()) != 0 {
			t.Errorf("called %v", g.Called())
		}
	})
}

// Copies go to the mirror's instances and nowhere else, whatever lane the call
// is of.
func TestCopiesOfALane(t *testing.T) {
	for _, c := range []struct {
		name string
		ids  []string
		want string
	}{{"ThereAreSome", []string{"v1-blue", "v1-a", "v2-a"}, "v1-blue v2-a"}, {"ThereAreNone", []string{"v1-blue", "v1-a"}, "v1-blue"}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := fairleadtest.Instances("orders", c.ids...)
				for n := range all {
					all[n].Version, _, _ = strings.Cut(all[n].ID, "-")
				}
				all[0].Meta = map[string]string{"lane": "blue"}
				g := governed{fairleadtest.NewFleet(all...), new(fairleadtest.Rulebook)}
				p := ordersPolicy(mirrored(100_00))
				p.Spec.Lane = &rule.Lane{Label: "lane", Key: "baggage:lane"}
				m := obeying(t, g, p)
				call := get()
				call.Request = &seen{baggage: map[string]string{"lane": "blue"}}
				if err := m.Do(t.Context(), call, copying{g.Door(m), g.Door(m)}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := g.called(); got != c.want {
					t.Errorf("the call and its copy went to %s, want %s", got, c.want)
				}
			})
		})
	}
}

// The copy outlives the call and its deadline, for the time that the rules give
// it.
func TestACopyHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		route := mirrored(100_00)
		route.Timeout = rule.Duration(2 * time.Second)
		m := obeying(t, g, ordersPolicy(route))
		g.Play("v2-a", fairleadtest.Hung())
		ctx, cancel := context.WithCancel(t.Context())
		if err := m.Do(ctx, get(), copying{g.Door(m), g.Door(m)}); err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(time.Minute)
		at := slices.IndexFunc(g.Attempts(), func(a fairleadtest.Attempt) bool { return strings.HasPrefix(a.Instance, "v2") })
		if at < 0 || g.Attempts()[at].Took != 2*time.Second {
			t.Errorf("attempts were %+v", g.Attempts())
		}
	})
}
