package rule

import "github.com/fairlead-go/fairlead/discovery"

// Filter narrows the instances for some of the calls: Dubbo's condition rule.
// All filters that match a call apply, in their order.
type Filter struct {
	Name string `json:"name,omitempty"`
	// Match is how calls look that it is for: like one of these. None: any.
	Match []Match `json:"match,omitempty"`
	// Keep leaves the instances all of whose labels look like this, Drop takes
	// away those that look like that; at least one of the two is needed.
	Keep map[string]Text `json:"keep,omitempty"`
	Drop map[string]Text `json:"drop,omitempty"`
	// Force says that a call for which no instance is left fails. Otherwise a
	// filter that leaves none does not apply.
	Force bool `json:"force,omitempty"`
}

// filter is a [Filter] ready for use.
type filter struct {
	matching
	keep, drop []labelled
	force      bool
}

// labelled is how a label looks.
type labelled struct {
	name string
	text matcher
}

func newFilter(f Filter) filter {
	return filter{matching: newMatching(f.Match), keep: labelledOf(f.Keep), drop: labelledOf(f.Drop), force: f.Force}
}

func labelledOf(texts map[string]Text) (all []labelled) {
	for name, text := range texts {
		all = append(all, labelled{name, matcherOf(text)})
	}
	return all
}

// leaves reports whether the filter leaves an instance where it applies.
func (f *filter) leaves(i *discovery.Instance) bool {
	return look(i, f.keep) && (len(f.drop) == 0 || !look(i, f.drop))
}

// look reports whether all labels of an instance look as they should.
func look(i *discovery.Instance, all []labelled) bool {
	for n := range all {
		value, ok := i.Label(all[n].name)
		if !ok || !all[n].text.matches(value) {
			return false
		}
	}
	return true
}
