package transport_test

import (
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// places returns instances of orders that are named after their zone: "near-a".
// One of no zone begins with "?".
func places(ids ...string) []discovery.Instance {
	all := fairleadtest.Instances("orders", ids...)
	for n := range all {
		all[n].Zone, _, _ = strings.Cut(all[n].ID, "-")
	}
	return all
}

// share is which of the calls of late went to instances whose IDs begin so.
func share(fleet *fairleadtest.Fleet, prefix string) float64 {
	there, called := 0, fleet.Called()
	for _, id := range called {
		if strings.HasPrefix(id, prefix) {
			there++
		}
	}
	return float64(there) / float64(len(called))
}

// Where this process is can be said before or after all other options, and the
// preference is left to them.
func TestWithLocality(t *testing.T) {
	here := transport.WithLocality("eu", "near")
	balancing := func(prefer balancer.Preference) transport.Option {
		return transport.WithBalancing(balancer.Balancing{Locality: balancer.Locality{Zone: "elsewhere", Prefer: prefer}})
	}
	random := transport.WithPolicy(balancer.Random{})
	for _, tt := range []struct {
		name    string
		options []transport.Option
		want    string // the zone that calls go to, "": both
	}{
		{"not said", nil, ""},
		{"alone", []transport.Option{here}, "near"},
		{"before", []transport.Option{here, balancing(balancer.PreferZone), random}, "near"},
		{"after", []transport.Option{random, balancing(balancer.PreferZone), here}, "near"},
		{"no preference", []transport.Option{here, balancing(balancer.PreferNone)}, ""},
		{"said in balancing only", []transport.Option{transport.WithBalancing(balancer.Balancing{Locality: balancer.Locality{Zone: "far"}})}, "far"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fleet := fairleadtest.NewFleet(places("near-a", "near-b", "far-a", "far-b")...)
			m := knowing(t, newMesh(t, fleet, tt.options...))
			fleet.Forget()
			for range 500 {
				if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			for _, zone := range []string{"near", "far"} {
				if share(fleet, zone) > 0.9 {
					got = zone
				}
			}
			if got != tt.want {
				t.Errorf("calls go to %q, want %q: %.2f of them are near", got, tt.want, share(fleet, "near"))
			}
		})
	}
}

func TestBadLocalityIsRefused(t *testing.T) {
	for field, option := range map[string]transport.Option{
		"Locality.Zone":   transport.WithLocality("eu", "eu-1\n"),
		"Locality.Region": transport.WithLocality(strings.Repeat("x", 1000), "eu-1"),
	} {
		_, err := transport.New(orders(), option)
		if bad, ok := errors.AsType[*discovery.FieldError](err); !ok || bad.Field != field || bad.Allowed == "" {
			t.Errorf("%s: error is %v", field, err)
		}
	}
}

// town is a mesh in zone "near" whose calls go on until the test ends, in a
// bubble.
type town struct {
	governed
	*transport.Mesh
}

// newTown has twenty callers that call again as soon as they have an answer, and
// one in a while.
func newTown(t *testing.T, instances []discovery.Instance, p rule.Policy, options ...transport.Option) town {
	g := governed{fairleadtest.NewFleet(instances...), new(fairleadtest.Rulebook)}
	c := town{g, obeying(t, g, p, append([]transport.Option{transport.WithLocality("", "near")}, options...)...)}
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			for t.Context().Err() == nil {
				_ = c.Do(t.Context(), put(), g.Door(c.Mesh))
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	t.Cleanup(callers.Wait)
	return c
}

// put changes the document, and waits until it is in force.
func (c town) put(t *testing.T, change func(*rule.Spec)) {
	t.Helper()
	p := ordersPolicy()
	change(&p.Spec)
	revision := c.Put(p)
	time.Sleep(200 * time.Millisecond)
	if r := service(t, c.Mesh).Rules; r.Revision != revision || r.Refused != "" {
		t.Fatalf("rules are %+v", r)
	}
}

// near is the share of the calls of the next while that stays in the zone.
func (c town) near(while time.Duration) float64 {
	c.Forget()
	time.Sleep(while)
	return share(c.Fleet, "near")
}

// Rules change how and among whom is chosen while calls go on. What instances
// showed stays, who is ejected stays so, and so does what was learned of places,
// save where places do not matter any more.
func TestRulesChangeWhereCallsGoAndNothingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := places("near-a", "near-b", "near-c", "near-d", "far-a", "far-b", "far-c", "far-d", "far-e", "far-f")
		for n := range all {
			all[n].Meta = map[string]string{"pool": "own"}
		}
		all[9].Meta = nil
		c := newTown(t, all, ordersPolicy(), transport.WithBalancing(balancer.Balancing{Subset: balancer.Subset{Seed: "me"}}))
		for _, i := range all {
			c.Play(i.ID, fairleadtest.OK().After(10*time.Millisecond))
		}
		time.Sleep(20 * time.Second)
		if got := c.near(2 * time.Second); got < 0.9 {
			t.Fatalf("%.2f of the calls are near", got)
		}
		c.Play("near-a", fairleadtest.Status(500))
		for _, id := range []string{"near-b", "near-c", "near-d"} {
			c.Play(id, fairleadtest.OK().After(100*time.Millisecond))
		}
		time.Sleep(20 * time.Second)
		learned := c.near(time.Second)
		if learned > 0.4 {
			t.Fatalf("%.2f of the calls stay near where they are slow", learned)
		}
		outage := func() (since time.Time) {
			for _, i := range service(t, c.Mesh).Instances {
				if i.Outage != nil && i.ID == "near-a" {
					return i.Outage.Since
				}
			}
			return since
		}
		began := outage()
		if began.IsZero() {
			t.Fatal("nobody is ejected")
		}
		tiers := []rule.Subset{{Name: "own", Labels: map[string]string{"pool": "own"}}}
		for _, step := range []struct {
			name   string
			change func(*rule.Spec)
			shows  func(transport.ChoiceDump) bool
			places bool // what was learned of them applies
		}{
			{"another algorithm", func(s *rule.Spec) { s.LoadBalancer.Algorithm = "least-request" },
				func(d transport.ChoiceDump) bool {
					return d.Policy == "least-request" && d.Settings == nil && len(d.Parts) == 2
				}, true},
			{"its settings", func(s *rule.Spec) {
				s.LoadBalancer.Algorithm, s.LoadBalancer.SelectionMethod = "least-request", "full-scan"
			}, func(d transport.ChoiceDump) bool { return string(d.Settings) == `{"fullScan":true}` }, true},
			{"a subset", func(s *rule.Spec) { s.LoadBalancer.SubsetSize = 3 },
				func(d transport.ChoiceDump) bool { return d.Called == 6 && d.Instances == 10 }, true},
			{"no subset", func(s *rule.Spec) { s.LoadBalancer.SubsetSize = -1 },
				func(d transport.ChoiceDump) bool { return d.Called == 10 }, true},
			{"priorities", func(s *rule.Spec) { s.LoadBalancer.Priorities = tiers },
				func(d transport.ChoiceDump) bool {
					return len(d.Parts) == 3 && d.Parts[0].Tier == "own" && d.Parts[2].Tier == "" && d.Parts[2].Instances == 1
				}, false},
			{"none again", func(s *rule.Spec) {}, func(d transport.ChoiceDump) bool { return d.Policy == "p2c-ewma" && len(d.Parts) == 2 }, false},
			{"no place", func(s *rule.Spec) { s.LoadBalancer.LocalityPreference = "none" },
				func(d transport.ChoiceDump) bool { return len(d.Parts) == 0 }, false},
		} {
			learned := c.near(time.Second)
			was := service(t, c.Mesh)
			c.put(t, step.change)
			is := service(t, c.Mesh)
			for n, i := range is.Instances {
				before := was.Instances[n].Stats
				if i.Stats.Latency == 0 || i.ID != "near-a" && math.Abs(math.Log2(float64(i.Stats.Latency)/float64(before.Latency))) > 1 {
					t.Errorf("%s: the latency of %s is %v, and was %v", step.name, i.ID, i.Stats.Latency, before.Latency)
				}
			}
			if since := outage(); since.Sub(began).Abs() > time.Second {
				t.Errorf("%s: the outage began at %v, and did at %v", step.name, since, began)
			}
			if d := is.Choices[""]; !step.shows(d) {
				t.Errorf("%s: the choice is %+v", step.name, d)
			}
			if now := c.near(time.Second); step.places && math.Abs(now-learned) > 0.1 {
				t.Errorf("%s: %.2f of the calls are near, before it were %.2f", step.name, now, learned)
			}
			if !step.places {
				time.Sleep(15 * time.Second)
			}
		}
		// A document that is wrong changes nothing at all.
		was := service(t, c.Mesh)
		c.PutText("orders", []byte(`{"apiVersion":"fairlead/v1alpha1","kind":"ServicePolicy","spec":{"service":"orders","loadBalancer":{"algorithm":"maglev","subsetSize":-2}}}`))
		time.Sleep(200 * time.Millisecond)
		if is := service(t, c.Mesh); is.Rules.Refused == "" || is.Choices[""].Policy != was.Choices[""].Policy || is.Choices[""].Called != was.Choices[""].Called {
			t.Errorf("a wrong document shows as %+v, the choice is %+v, and was %+v", is.Rules, is.Choices[""], was.Choices[""])
		}
	})
}

// Two registries, of which one knows no zones: what is near for sure comes first,
// and calls go to the other where the near ones are ejected.
func TestPlacesOfSeveralRegistries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near := places("near-a", "near-b", "near-c", "far-a", "far-b", "far-c")
		other := fairleadtest.Instances("orders", "x-a", "x-b", "x-c") // which say nothing of their zone
		fleet := fairleadtest.NewFleet(append(near, other...)...)
		zoned, unzoned := new(discovery.Memory), new(discovery.Memory)
		for n, i := range append(near, other...) {
			registry := zoned
			if n >= len(near) {
				registry = unzoned
			}
			if _, err := registry.Register(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		composite, err := discovery.NewComposite(discovery.CompositeConfig{Rule: discovery.Merge, Logger: slog.New(slog.DiscardHandler),
			Members: []discovery.Member{{Name: "zoned", Registry: zoned}, {Name: "unzoned", Registry: unzoned}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { composite.Close(t.Context()) })
		m := knowing(t, newMesh(t, composite, transport.WithLocality("", "near"), transport.WithBalancing(balancer.Balancing{
			OutlierDetection: balancer.OutlierDetection{MaxEjectionPercent: 100},
		})))
		call := func(calls int) {
			for range calls {
				_ = m.Do(t.Context(), put(), fleet.Door(m))
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(time.Second)
			fleet.Forget()
			for range 1000 {
				_ = m.Do(t.Context(), put(), fleet.Door(m))
				time.Sleep(time.Millisecond)
			}
		}
		call(10)
		if got := share(fleet, "near"); got < 0.9 {
			t.Errorf("%.2f of the calls are near", got)
		}
		for _, id := range []string{"near-a", "near-b", "near-c"} {
			fleet.Play(id, fairleadtest.Status(500))
		}
		call(200)
		if far, x := share(fleet, "far"), share(fleet, "x"); far < 0.3 || x < 0.3 {
			t.Errorf("where all near ones are ejected, %.2f of the calls go to another zone and %.2f to those of no zone", far, x)
		}
		parts := service(t, m).Choices[""].Parts
		if len(parts) != 2 || parts[0].Distance != balancer.SameZone || parts[0].Well != 0 || parts[1].Instances != 6 || parts[1].Share < 0.9 {
			t.Errorf("the parts are %+v", parts)
		}
	})
}
