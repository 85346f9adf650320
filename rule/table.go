package rule

import (
	"maps"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Table is a policy ready for use. It is immutable and safe for concurrent
// use.
type Table struct {
	Policy    Policy
	routes    []RouteTable
	index     *index               // nil: there are no routes
	selectors map[string]*Selector // by subset
}

// RouteTable is a route ready for use.
type RouteTable struct {
	Name        string
	Timeout     time.Duration // 0: nothing is said
	MaxAttempts int           // 0: nothing is said
	Strict      bool
	Fallback    *Selector // nil: all instances

	salt         string
	hashOn       property
	hashHeader   Header
	hashName     string
	hashed       bool
	destinations []destination
}

// destination is where a share of a route's calls goes.
type destination struct {
	below    uint32 // of 100: the shares of those before it and its own
	selector *Selector
}

// Selector picks instances by their labels.
type Selector struct {
	Name   string
	Labels map[string]string // not to be written to
}

// Compile makes a table of a policy. What is the same in the previous table,
// nil if there is none, keeps its objects. The error is [Problems].
func Compile(p Policy, previous *Table) (*Table, error) {
	if all := p.problems(); len(all) > 0 {
		return nil, all
	}
	t := &Table{Policy: p, routes: make([]RouteTable, len(p.Spec.Routes)), selectors: map[string]*Selector{}}
	for _, subset := range p.Spec.Subsets {
		s := &Selector{subset.Name, subset.Labels}
		if previous != nil {
			if same := previous.selectors[s.Name]; same != nil && maps.Equal(same.Labels, s.Labels) {
				s = same
			}
		}
		t.selectors[s.Name] = s
	}
	var entries []entry
	for n, r := range p.Spec.Routes {
		t.routes[n] = routeTable(p.Spec.Service, r, t.selectors)
		for _, m := range r.Match {
			entries = append(entries, entry{n, conditionsOf(m)})
		}
		if len(r.Match) == 0 {
			entries = append(entries, entry{order: n})
		}
	}
	if len(entries) > 0 {
		t.index = newIndex(entries)
	}
	return t, nil
}

func routeTable(service string, r Route, selectors map[string]*Selector) RouteTable {
	t := RouteTable{
		Name: r.Name, Timeout: time.Duration(r.Timeout), MaxAttempts: r.Retries.MaxAttempts,
		Strict: r.Strict, Fallback: selectors[r.Fallback],
		salt: service + "/" + r.Name + "/",
	}
	below := 0
	for _, d := range r.Route {
		below += d.Weight
		if d.Weight > 0 {
			t.destinations = append(t.destinations, destination{uint32(below), selectors[d.Subset]})
		}
	}
	of, name, _ := strings.Cut(r.HashOn, ":")
	switch of {
	case "header":
		t.hashOn, t.hashHeader, t.hashed = ofHeader, headerOf(name), true
	case "query":
		t.hashOn, t.hashName, t.hashed = ofQuery, name, true
	case "baggage":
		t.hashOn, t.hashName, t.hashed = ofBaggage, name, true
	case "key":
		t.hashOn, t.hashed = ofKey, true
	}
	return t
}

// Route returns the route of a call, nil if none matches. It allocates nothing
// unless the call's own methods do, or a pattern.
func (t *Table) Route(r Request) *RouteTable {
	if t == nil || t.index == nil {
		return nil
	}
	if n := t.index.first(r); n != none {
		return &t.routes[n]
	}
	return nil
}

// Choose returns where a call goes: nil means to all instances. The random bits
// decide, unless the route hashes and the call has what it hashes on.
func (t *RouteTable) Choose(r Request, rand uint64) *Selector {
	switch len(t.destinations) {
	case 0:
		return nil
	case 1:
		return t.destinations[0].selector
	}
	if t.hashed {
		if value, ok := t.hash(r); ok {
			rand = value
		}
	}
	share := uint32(rand >> 32 * 100 >> 32)
	for n := range t.destinations {
		if share < t.destinations[n].below {
			return t.destinations[n].selector
		}
	}
	return nil // the shares add up to 100
}

// hash is XXH64 of "<service>/<route>/<value>", so that two routes do not send
// the same callers to their canaries.
func (t *RouteTable) hash(r Request) (uint64, bool) {
	c := condition{of: t.hashOn, header: t.hashHeader, name: t.hashName}
	value, ok := c.value(r)
	if !ok || value == "" {
		return 0, false
	}
	var d xxhash.Digest
	d.Reset()
	d.WriteString(t.salt)
	d.WriteString(value)
	return d.Sum64(), true
}
