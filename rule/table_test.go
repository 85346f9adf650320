package rule_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/rule"
)

// call is a call that is nothing but what conditions look at.
type call struct {
	method, path, caller, key string
	header, query, baggage    map[string]string // header: in lower case
}

func (c *call) Method() string                      { return c.method }
func (c *call) Path() string                        { return c.path }
func (c *call) Caller() string                      { return c.caller }
func (c *call) Key() string                         { return c.key }
func (c *call) Header(h rule.Header) (string, bool) { v, ok := c.header[h.Lower]; return v, ok }
func (c *call) Query(n string) (string, bool)       { v, ok := c.query[n]; return v, ok }
func (c *call) Baggage(n string) (string, bool)     { v, ok := c.baggage[n]; return v, ok }

func policy(routes ...rule.Route) rule.Policy {
	return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "stable", Labels: map[string]string{"version": "v1"}}, {Name: "canary", Labels: map[string]string{"version": "v2"}}},
		Routes:  routes,
	}}
}

func compile(t testing.TB, p rule.Policy) *rule.Table {
	t.Helper()
	table, err := rule.Compile(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func exact(s string) *rule.Text  { return &rule.Text{Exact: s} }
func prefix(s string) *rule.Text { return &rule.Text{Prefix: s} }
func regex(s string) *rule.Text  { return &rule.Text{Regex: s} }
func texts(name string, t *rule.Text) map[string]rule.Text {
	return map[string]rule.Text{name: *t}
}

func TestFirstMatchWins(t *testing.T) {
	table := compile(t, policy(
		rule.Route{Name: "gold", Match: []rule.Match{{Headers: texts("X-Tier", exact("gold"))}}},
		rule.Route{Name: "one", Match: []rule.Match{{Path: exact("/v1/orders")}}},
		rule.Route{Name: "read", Match: []rule.Match{{Method: "GET", Path: prefix("/v1/")}}},
		rule.Route{Name: "short", Match: []rule.Match{{Path: prefix("/v")}, {Query: texts("beta", &rule.Text{Present: true})}}},
		rule.Route{Name: "numbers", Match: []rule.Match{{Path: regex("/n/[0-9]+")}}},
		rule.Route{Name: "web", Match: []rule.Match{{Caller: exact("web"), Baggage: texts("lane", prefix("f"))}}},
		rule.Route{Name: "any"},
		rule.Route{Name: "never"},
	))
	for _, c := range []struct {
		call call
		want string
	}{
		{call{method: "GET", path: "/v1/orders", header: map[string]string{"x-tier": "gold"}}, "gold"},
		{call{method: "GET", path: "/v1/orders", header: map[string]string{"x-tier": "golden"}}, "one"},
		{call{method: "GET", path: "/v1/orders/7"}, "read"},
		{call{method: "POST", path: "/v1/orders/7"}, "short"},
		{call{method: "POST", path: "/v"}, "short"},
		{call{path: "/x", query: map[string]string{"beta": ""}}, "short"},
		{call{path: "/n/42"}, "numbers"},
		{call{path: "/n/42x"}, "any"},
		{call{path: "/n/" + strings.Repeat("4", 2000)}, "any"},
		{call{path: "/x", caller: "web", baggage: map[string]string{"lane": "f1"}}, "web"},
		{call{path: "/x", caller: "web"}, "any"},
		{call{}, "any"},
	} {
		if got := table.Route(&c.call); got == nil || got.Name != c.want {
			t.Errorf("%+v is on route %+v, want %s", c.call, got, c.want)
		}
	}
	if got := compile(t, policy()).Route(&call{}); got != nil {
		t.Errorf("without routes there is route %+v", got)
	}
	var no *rule.Table
	if got := no.Route(&call{}); got != nil {
		t.Errorf("without a table there is route %+v", got)
	}
}

// naive is Route, worked out as the document says it.
func naive(p rule.Policy, c *call) string {
	holds := func(t *rule.Text, value string, ok bool) bool {
		switch {
		case t == nil:
			return true
		case !ok:
			return false
		case t.Exact != "":
			return value == t.Exact
		case t.Prefix != "":
			return strings.HasPrefix(value, t.Prefix)
		}
		return true // present; there are no patterns here
	}
	for _, r := range p.Spec.Routes {
		matches := func(m rule.Match) bool {
			if m.Method != "" && m.Method != c.method || !holds(m.Path, c.path, true) || !holds(m.Caller, c.caller, c.caller != "") {
				return false
			}
			for _, of := range []struct {
				want map[string]rule.Text
				have map[string]string
				fold bool
			}{{m.Headers, c.header, true}, {m.Query, c.query, false}, {m.Baggage, c.baggage, false}} {
				for name, text := range of.want {
					if of.fold {
						name = strings.ToLower(name)
					}
					value, ok := of.have[name]
					if !holds(&text, value, ok) {
						return false
					}
				}
			}
			return true
		}
		if len(r.Match) == 0 || slices.ContainsFunc(r.Match, matches) {
			return r.Name
		}
	}
	return ""
}

// FuzzRuleEval holds the table to what the document says, for documents and
// calls whose texts often begin alike.
func FuzzRuleEval(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed*7))
	}
	f.Fuzz(func(t *testing.T, seed uint64, routes uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		word := func() string { return strings.Repeat("ab/", r.IntN(3)) + []string{"", "a", "b", "/"}[r.IntN(4)] }
		text := func() *rule.Text {
			switch w := word(); {
			case w == "" || r.IntN(8) == 0:
				return &rule.Text{Present: true}
			case r.IntN(2) == 0:
				return exact(w)
			default:
				return prefix(w)
			}
		}
		some := func() map[string]rule.Text {
			all := map[string]rule.Text{}
			for range r.IntN(3) {
				all[[]string{"x-a", "x-b"}[r.IntN(2)]] = *text()
			}
			return all
		}
		var p rule.Policy
		for n := range routes % 40 {
			route := rule.Route{Name: fmt.Sprint(n)}
			for range r.IntN(3) + 1 {
				var m rule.Match
				if r.IntN(2) == 0 {
					m.Method = []string{"GET", "PUT"}[r.IntN(2)]
				}
				if r.IntN(4) > 0 {
					m.Path = text()
				}
				if r.IntN(4) == 0 {
					m.Caller = text()
				}
				m.Headers, m.Query, m.Baggage = some(), some(), some()
				if r.IntN(2) == 0 {
					m.Query, m.Baggage = nil, nil
				}
				route.Match = append(route.Match, m)
			}
			if r.IntN(20) == 0 {
				route.Match = nil
			}
			p.Spec.Routes = append(p.Spec.Routes, route)
		}
		p = policy(p.Spec.Routes...)
		table := compile(t, p)
		for range 20 {
			have := func() map[string]string {
				all := map[string]string{}
				for _, name := range []string{"x-a", "x-b"} {
					if r.IntN(3) > 0 {
						all[name] = word()
					}
				}
				return all
			}
			c := &call{method: []string{"GET", "PUT", "POST"}[r.IntN(3)], path: word(), caller: word(), header: have(), query: have(), baggage: have()}
			got := ""
			if route := table.Route(c); route != nil {
				got = route.Name
			}
			if want := naive(p, c); got != want {
				document, _ := json.Marshal(p)
				t.Fatalf("%+v is on route %q, want %q of %.3000s", c, got, want, document)
			}
		}
	})
}

func TestRouteAllocatesNothing(t *testing.T) {
	for _, k := range kinds {
		table, c := k.make(t, 100)
		if n := testing.AllocsPerRun(100, func() {
			table.Decide(c, 7)
		}); n != 0 {
			t.Errorf("%s: %v allocations", k.name, n)
		}
	}
}

// kinds are documents with one route for each value of something, and a call
// that is on the last.
var kinds = []struct {
	name string
	make func(testing.TB, int) (*rule.Table, *call)
}{
	{"exact", func(t testing.TB, n int) (*rule.Table, *call) {
		return one(t, n, func(m *rule.Match, text string) { m.Path = exact("/v1/" + text) }, call{method: "GET", path: "/v1/" + value(n-1)})
	}},
	{"prefix", func(t testing.TB, n int) (*rule.Table, *call) {
		return one(t, n, func(m *rule.Match, text string) { m.Path = prefix("/v1/" + text) }, call{method: "GET", path: "/v1/" + value(n-1) + "/more"})
	}},
	{"nested", func(t testing.TB, n int) (*rule.Table, *call) {
		return one(t, n, func(m *rule.Match, text string) {
			m.Path = prefix("/" + strings.Repeat("x", len(text)))
			m.Headers = texts("x-a", exact(text))
		}, call{method: "GET", path: "/" + strings.Repeat("x", 200), header: map[string]string{"x-a": value(n - 1)}})
	}},
	{"header", func(t testing.TB, n int) (*rule.Table, *call) {
		return one(t, n, func(m *rule.Match, text string) { m.Headers = texts("x-tenant", exact(text)) },
			call{method: "GET", path: "/v1/orders", header: map[string]string{"x-tenant": value(n - 1)}})
	}},
	{"method", func(t testing.TB, n int) (*rule.Table, *call) {
		return one(t, n, func(m *rule.Match, text string) { m.Path, m.Method = prefix("/v1/"), "M"+text }, call{method: "M" + value(n-1), path: "/v1/orders"})
	}},
}

func value(n int) string { return fmt.Sprintf("some-%03d", n) }

func one(t testing.TB, n int, set func(*rule.Match, string), c call) (*rule.Table, *call) {
	routes := make([]rule.Route, n)
	for i := range routes {
		routes[i].Name, routes[i].Match = value(i), make([]rule.Match, 1)
		set(&routes[i].Match[0], value(i))
	}
	table := compile(t, policy(routes...))
	if got := table.Route(&c); got == nil || got.Name != value(n-1) && n > 0 {
		t.Fatalf("the call is on route %+v", got)
	}
	return table, &c
}

// BenchmarkMatch is what a call pays for the routes of its service, beside finding
// its path in a map.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		for _, k := range kinds {
			b.Run(fmt.Sprintf("routes=%d/kind=%s", n, k.name), func(b *testing.B) {
				table, c := k.make(b, n)
				cputime.Start(b)
				for b.Loop() {
					table.Route(c)
				}
			})
		}
		b.Run(fmt.Sprintf("routes=%d/kind=map", n), func(b *testing.B) {
			routes := map[string]*rule.RouteTable{}
			for i := range n {
				routes["/v1/"+value(i)] = new(rule.RouteTable)
			}
			path := "/v1/" + value(n-1)
			cputime.Start(b)
			for b.Loop() {
				if routes[path] == nil {
					b.Fatal("no route")
				}
			}
		})
		b.Run(fmt.Sprintf("routes=%d/kind=regex", n), func(b *testing.B) {
			table, c := one(b, n, func(m *rule.Match, text string) { m.Path = regex("/v1/" + text + "/[a-z]+") }, call{method: "GET", path: "/v1/" + value(n-1) + "/more"})
			b.ReportAllocs()
			for b.Loop() {
				table.Route(c)
			}
		})
	}
}
