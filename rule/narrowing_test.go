package rule_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// naively is Narrow, worked out as docs/rules.md says it, for one route.
func naively(p rule.Policy, c *call, all []*discovery.Instance) (left, fallback []*discovery.Instance) {
	keep := func(of []*discovery.Instance, is func(*discovery.Instance) bool) (some []*discovery.Instance) {
		for _, i := range of {
			if is(i) {
				some = append(some, i)
			}
		}
		return some
	}
	subset := func(name string) func(*discovery.Instance) bool {
		return func(i *discovery.Instance) bool {
			for _, s := range p.Spec.Subsets {
				if s.Name == name {
					return i.Version == s.Labels["version"]
				}
			}
			return true // all instances
		}
	}
	left = all
	for _, f := range p.Spec.Filters {
		if c.caller != f.Match[0].Caller.Exact {
			continue
		}
		some := keep(left, func(i *discovery.Instance) bool {
			return (f.Keep == nil || i.Zone == f.Keep["zone"].Exact) && (f.Drop == nil || i.Zone != f.Drop["zone"].Exact)
		})
		if len(some) > 0 || f.Force {
			left = some
		}
	}
	inLane := false
	if l := p.Spec.Lane; l != nil {
		lane := keep(left, func(i *discovery.Instance) bool { return i.Meta["lane"] == c.key })
		base := keep(left, func(i *discovery.Instance) bool { return i.Meta["lane"] == "" })
		switch {
		case c.key != "" && (len(lane) > 0 || l.Force):
			left, inLane = lane, true
		case len(base) > 0 || l.Force:
			left = base
		}
	}
	pool, route := left, p.Spec.Routes[0]
	to := func(name string, strict bool) []*discovery.Instance {
		switch some := keep(pool, subset(name)); {
		case len(some) > 0 || strict && !inLane:
			return some
		case inLane || route.Fallback == "":
			return pool
		default:
			if some := keep(pool, subset(route.Fallback)); len(some) > 0 {
				return some
			}
			return pool
		}
	}
	left = to(route.Route[0].Subset, route.Strict)
	if route.Route[0].Subset != "" && !route.Strict {
		if fallback = keep(pool, subset(route.Fallback)); len(fallback) == 0 {
			fallback = pool
		}
	}
	return left, fallback
}

// FuzzNarrow holds the narrowing to what the documentation says of it.
func FuzzNarrow(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		some := func(of ...string) string { return of[r.IntN(len(of))] }
		p := policy(rule.Route{Route: []rule.Destination{{Subset: some("", "stable", "canary"), Weight: 100}}, Fallback: some("", "stable", "canary")})
		if r.IntN(3) == 0 {
			p.Spec.Routes[0].Strict, p.Spec.Routes[0].Fallback = true, ""
		}
		if r.IntN(2) == 0 {
			p.Spec.Lane = &rule.Lane{Label: "lane", Key: "key", Force: r.IntN(3) == 0}
		}
		for range r.IntN(4) {
			filter := rule.Filter{Match: []rule.Match{{Caller: exact(some("a", "b"))}}, Force: r.IntN(3) == 0}
			if r.IntN(3) > 0 {
				filter.Keep = texts("zone", exact(some("x", "y")))
			}
			if filter.Keep == nil || r.IntN(3) == 0 {
				filter.Drop = texts("zone", exact(some("x", "y")))
			}
			p.Spec.Filters = append(p.Spec.Filters, filter)
		}
		var all []*discovery.Instance
		for n := range r.IntN(7) {
			i := &discovery.Instance{ID: fmt.Sprint(n), Version: some("v1", "v2", "v3"), Zone: some("x", "y", "z")}
			if lane := some("", "", "blue", "red"); lane != "" {
				i.Meta = map[string]string{"lane": lane}
			}
			all = append(all, i)
		}
		table := compile(t, p)
		for range 10 {
			c := &call{caller: some("a", "b", "c"), key: some("", "blue", "red", "green")}
			want, wantFallback := naively(p, c, all)
			d := table.Decide(c, r.Uint64())
			if got := rule.Narrow(table, d.Narrowing, all, itself); !slices.Equal(got, want) {
				t.Fatalf("%+v of %+v: %v, want %v", c, p.Spec, ids(got), ids(want))
			}
			other, ok := table.Fallback(d.Narrowing)
			if got := rule.Narrow(table, other, all, itself); ok != (p.Spec.Routes[0].Route[0].Subset != "" && !p.Spec.Routes[0].Strict) || ok && !slices.Equal(got, wantFallback) {
				t.Fatalf("%+v of %+v: the fallback is %v, %t, want %v", c, p.Spec, ids(got), ok, ids(wantFallback))
			}
		}
	})
}

func ids(instances []*discovery.Instance) []string {
	all := []string{}
	for _, i := range instances {
		all = append(all, i.ID)
	}
	return all
}

// A narrowing can be told in the document's own words.
func TestDescribe(t *testing.T) {
	p := rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "v1", Labels: map[string]string{"version": "v1"}}},
		Filters: []rule.Filter{{Name: "one", Drop: map[string]rule.Text{"a": {Present: true}}}, {Name: "two", Keep: map[string]rule.Text{"a": {Present: true}}, Match: []rule.Match{{Method: "PUT"}}}},
		Routes:  []rule.Route{{Match: []rule.Match{{Method: "GET"}}, Route: []rule.Destination{{Subset: "v1", Weight: 100}}}},
	}}
	table, err := rule.Compile(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{"GET": "v1 [one]", "PUT": " [one two]"} {
		subset, filters := table.Describe(table.Decide(&call{method: method}, 0).Narrowing)
		if got := fmt.Sprint(subset, " ", filters); got != want {
			t.Errorf("%s is narrowed to %q, want %q", method, got, want)
		}
	}
}
