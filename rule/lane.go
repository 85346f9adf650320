package rule

import "github.com/fairlead-go/fairlead/discovery"

// Lane keeps calls together that belong together, over several services: a
// branch that is tried out, or a tag in the sense of Dubbo. It comes before the
// routes, which then choose among the instances of the lane, or all of these
// where their subset has none there.
type Lane struct {
	// Label is that of an instance which names its lane. One without it is of
	// the base.
	Label string `json:"label"`
	// Key is where a call says its lane, in the form of HashOn. A call without
	// it is for the base.
	Key string `json:"key"`
	// Force says that a call fails where its lane has no instance, and one for
	// the base where all instances are of lanes. Otherwise the base stands in
	// for a lane, and all instances for the base.
	Force bool `json:"force,omitempty"`
}

// lane is a [Lane] ready for use.
type lane struct {
	label string
	key   condition
	force bool
}

// of returns the lane that a call says it is of.
func (l *lane) of(r Request) string {
	value, ok := l.key.value(r)
	if !ok || len(value) > MaxText {
		return ""
	}
	return value
}

// inLane returns the instances of the lane of a call, or those that stand in for
// it: then found is false.
func inLane[T any](t *Table, name string, all []T, of func(T) *discovery.Instance) (left []T, found bool) {
	is := func(name string) []T {
		return keep(all, of, func(i *discovery.Instance) bool { return t.LaneOf(i) == name })
	}
	if name != "" {
		if left = is(name); len(left) > 0 || t.lane.force {
			return left, true
		}
	}
	if left = is(""); len(left) > 0 || t.lane.force {
		return left, false
	}
	return all, false
}
