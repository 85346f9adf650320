package rule

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// Table is a policy ready for use. It is immutable and safe for concurrent
// use.
type Table struct {
	Policy   Policy
	Breaker  *BreakerTable // nil: nothing is said
	Outcomes *Outcomes     // nil: nothing is said

	// Limits and Concurrency are in the order of the document. nil: nothing is said;
	// empty: there are none, whatever code said.
	Limits      []LimitTable
	Concurrency []ConcurrencyTable
	Throttle    *ThrottleTable // nil: nothing is said
	Server      *ServerTable   // nil: nothing is said
	Gateway     *GatewayTable  // nil: nothing is said

	routes []RouteTable
	rest   RouteTable           // of calls that no route matches
	index  *index               // nil: there are no routes
	known  map[string]*selector // by subset

	filters      []filter
	lane         *lane
	hashOn       *condition    // nil: nothing is said
	alike        bool          // filters and lane are those of the previous table
	destinations []destination // the first is all instances
}

// RouteTable is what is said of the calls on a route, and of those on none: what is
// said of all calls is in it, too.
type RouteTable struct {
	Name           string        // "": none, or it has no name
	Order          int           // its place in the document; -1: it is of the calls on no route
	Timeout        time.Duration // 0: nothing is said
	Idempotent     *bool         // nil: nothing is said
	Retry          RetryTable
	Hedge          *HedgeTable // nil: nothing is said
	FaultTolerance FaultTolerance
	ToleranceSaid  bool       // whether anything is said of it; else it is Failover
	OnFailure      *OnFailure // nil: nothing is said
	Priority       ratelimit.Priority
	PrioritySaid   bool         // whether anything is said of it; else it is Default
	Mirror         *MirrorTable // nil: no call is copied
	Fault          *Fault       // nil: no call suffers

	more bool // than where calls go and how often they are tried

	shares []share
	sticky *sticky // nil: chance decides
}

// Plain reports whether nothing is said but where calls go and how often they are
// tried.
func (t *RouteTable) Plain() bool { return !t.more }

// MirrorTable is where copies of calls go.
type MirrorTable struct {
	Percent     Percent
	destination uint16
}

// share is a part of a route's calls.
type share struct {
	below       uint32 // of 100: the shares of those before it and its own
	destination uint16
}

// destination is a subset and what takes its place. It has a number in its
// table, and two that say the same have the same.
type destination struct {
	subset, fallback *selector // nil: all instances
	strict           bool
	only             bool // strict in a lane, too: where copies go
}

// selector picks instances by their labels.
type selector struct {
	name   string
	labels map[string]string
}

func (s *selector) selects(i *discovery.Instance) bool {
	for name, want := range s.labels {
		if have, ok := i.Label(name); !ok || have != want {
			return false
		}
	}
	return true
}

// Compile makes a table of a policy. What is the same in the previous table,
// nil if there is none, keeps its objects. The error is [Problems].
func Compile(p Policy, previous *Table) (*Table, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return compile(p, previous), nil
}

// compile is Compile of what is valid.
func compile(p Policy, previous *Table) *Table {
	t := &Table{Policy: p, known: map[string]*selector{}, destinations: make([]destination, 1)}
	for _, subset := range p.Spec.Subsets {
		s := &selector{subset.Name, subset.Labels}
		if previous != nil {
			if same := previous.known[s.name]; same != nil && maps.Equal(same.labels, s.labels) {
				s = same
			}
		}
		t.known[s.name] = s
	}
	for _, f := range p.Spec.Filters {
		t.filters = append(t.filters, newFilter(f))
	}
	if l := p.Spec.Lane; l != nil {
		t.lane = &lane{label: l.Label, key: keyOf(l.Key), force: l.Force}
	}
	if on := p.Spec.LoadBalancer.HashOn; on != "" {
		t.hashOn = new(keyOf(on))
	}
	if previous != nil {
		was := previous.Policy.Spec
		t.alike = reflect.DeepEqual(was.Filters, p.Spec.Filters) && reflect.DeepEqual(was.Lane, p.Spec.Lane)
	}
	if b := p.Spec.CircuitBreaker; b != nil {
		t.Breaker = b.table()
	}
	t.Outcomes = newOutcomes(p.Spec.Outcomes)
	t.Limits, t.Concurrency = limitTables(p.Spec.Limits), concurrencyTables(p.Spec.Concurrency)
	if s := p.Spec.Throttle; s != nil {
		t.Throttle = s.table()
	}
	if s := p.Spec.Server; s != nil {
		t.Server = s.table()
	}
	if g := p.Spec.Gateway; g != nil {
		t.Gateway = g.table()
	}
	all := p.Spec.terms()
	t.rest = all.table()
	t.rest.Order = -1
	t.routes = make([]RouteTable, len(p.Spec.Routes))
	var entries []entry
	for n, r := range p.Spec.Routes {
		t.routes[n] = t.route(&r, all)
		t.routes[n].Order = n
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
	return t
}

func (t *Table) route(r *Route, all terms) RouteTable {
	holds := r.terms().over(all)
	table := holds.table()
	table.Name, table.Fault = r.Name, r.Fault
	table.more = table.more || r.Fault != nil || r.Mirror != nil
	below := 0
	for _, d := range r.Route {
		if below += d.Weight; d.Weight > 0 {
			to := t.number(destination{subset: t.known[d.Subset], fallback: t.known[r.Fallback], strict: r.Strict})
			table.shares = append(table.shares, share{uint32(below), to})
			t.number(destination{subset: t.known[r.Fallback]})
		}
	}
	if r.HashOn != "" {
		table.sticky = &sticky{salt: t.Policy.Spec.Service + "/" + r.Name + "/", of: keyOf(r.HashOn)}
	}
	if m := r.Mirror; m != nil {
		table.Mirror = &MirrorTable{m.Percent, t.number(destination{subset: t.known[m.Subset], strict: true, only: true})}
	}
	return table
}

// number returns the number of a destination.
func (t *Table) number(d destination) uint16 {
	if d.subset == nil {
		return 0
	}
	at := slices.Index(t.destinations, d)
	if at < 0 {
		at = len(t.destinations)
		t.destinations = append(t.destinations, d)
	}
	return uint16(at)
}

// Routes yields what is said of the calls on no route, and then of those on each, in
// their order.
func (t *Table) Routes() iter.Seq[*RouteTable] {
	return func(yield func(*RouteTable) bool) {
		if !yield(&t.rest) {
			return
		}
		for n := range t.routes {
			if !yield(&t.routes[n]) {
				return
			}
		}
	}
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
