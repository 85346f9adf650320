package transport_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// settled lets all that is to be done within a second be done, in a bubble.
func settled() {
	time.Sleep(time.Second)
	synctest.Wait()
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

// goesTo makes calls, all of which have to be answered, and returns where they
// went.
func (g governed) goesTo(t testing.TB, m *transport.Mesh) string {
	t.Helper()
	g.Forget()
	for range 30 {
		if err := m.Do(t.Context(), get(), g.Door(m)); err != nil {
			t.Fatal(err)
		}
	}
	return g.called()
}

// called is where the calls went so far.
func (g governed) called() string {
	called := g.Called()
	slices.Sort(called)
	return strings.Join(slices.Compact(called), " ")
}
