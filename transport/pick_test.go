package transport_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

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
			if got := g.called(); got != c.want {
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
				// Not every call may be the probe by which it is found out.
				if failed, toV2 := calls(200); failed != 0 || toV2 < 150 {
					t.Errorf("up again: %d failed, %d of 200 went to v2", failed, toV2)
				}
			})
		})
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
