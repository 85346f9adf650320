package rule

import (
	"slices"

	"github.com/fairlead-go/fairlead/discovery"
)

// Narrowing says to which of a service's instances a call may go. The zero
// value is to all. Two of one table that are equal mean the same.
type Narrowing struct {
	destination uint16
	filters     uint16 // those that match the call, by bit
	lane        string // "": the base
}

// Number tells the narrowings of one table apart that differ in more than their
// lane. 0: nothing but the lane narrows.
func (n Narrowing) Number() uint32 { return uint32(n.filters)<<16 | uint32(n.destination) }

// Lane is that of the call, "" if it is for the base.
func (n Narrowing) Lane() string { return n.lane }

// Describe returns the names of the subset that a narrowing is to, "" for all
// instances, and of the filters that match the call.
func (t *Table) Describe(n Narrowing) (subset string, filters []string) {
	if s := t.destinations[n.destination].subset; s != nil {
		subset = s.name
	}
	for i, f := range t.Policy.Spec.Filters {
		if n.filters>>i&1 == 1 {
			filters = append(filters, f.Name)
		}
	}
	return subset, filters
}

// Fallback returns where calls may go instead, although there are instances:
// because they fail, or cannot be reached.
func (t *Table) Fallback(n Narrowing) (other Narrowing, ok bool) {
	d := t.destinations[n.destination]
	if d.subset == nil || d.strict {
		return n, false
	}
	n.destination = uint16(slices.Index(t.destinations, destination{subset: d.fallback})) // it has a number
	return n, true
}

// HasLanes reports whether the table keeps lanes apart.
func (t *Table) HasLanes() bool { return t.lane != nil }

// LaneOf returns the lane of an instance, "" for the base.
func (t *Table) LaneOf(i *discovery.Instance) string {
	if t.lane == nil {
		return ""
	}
	value, _ := i.Label(t.lane.label)
	return value
}

// Narrow returns the instances that are left of all, in their order; it may be
// all itself. What an item is an instance of is for the caller to say.
//
// First the filters, each unless it would leave nobody and is not forced. Then
// the lane. Then the subset of the route: in a lane, all instances of the lane
// where the subset has none there; else the fallback's, then all of the base,
// unless the route is strict.
func Narrow[T any](t *Table, n Narrowing, all []T, of func(T) *discovery.Instance) []T {
	left := all
	for i := range t.filters {
		if f := &t.filters[i]; n.filters>>i&1 == 1 {
			if some := keep(left, of, f.leaves); len(some) > 0 || f.force {
				left = some
			}
		}
	}
	ofLane := false
	if t.lane != nil {
		left, ofLane = inLane(t, n.lane, left, of)
	}
	d := t.destinations[n.destination]
	if d.subset == nil {
		return left
	}
	some := keep(left, of, d.subset.selects)
	switch {
	case len(some) > 0 || d.only || d.strict && !ofLane:
		return some
	case ofLane || d.fallback == nil:
		return left
	}
	if some = keep(left, of, d.fallback.selects); len(some) > 0 {
		return some
	}
	return left
}

func keep[T any](all []T, of func(T) *discovery.Instance, keeps func(*discovery.Instance) bool) (left []T) {
	for _, item := range all {
		if keeps(of(item)) {
			left = append(left, item)
		}
	}
	return left
}

// Carry returns what a narrowing of the previous table is in this one; ok is
// false if it means nothing here, or something else.
func (t *Table) Carry(previous *Table, n Narrowing) (carried Narrowing, ok bool) {
	if t == previous {
		return n, true
	}
	if !t.alike {
		return n, false
	}
	at := slices.Index(t.destinations, previous.destinations[n.destination])
	if at < 0 {
		return n, false
	}
	n.destination = uint16(at)
	return n, true
}
