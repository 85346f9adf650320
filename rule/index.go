package rule

import (
	"slices"
	"strings"
)

// entry is one match of a route, or a route without any.
type entry struct {
	order      int // of the route
	conditions []condition
}

// without returns what is left to ask once a condition is known to hold.
func (e entry) without(known func(condition) bool) entry {
	e.conditions = slices.DeleteFunc(slices.Clone(e.conditions), known)
	return e
}

func about(of property) func(condition) bool {
	return func(c condition) bool { return c.of == of }
}

func (e *entry) find(of property, how how) *condition {
	for n := range e.conditions {
		if c := &e.conditions[n]; c.of == of && c.text.how == how {
			return c
		}
	}
	return nil
}

// index finds the first route that matches, without asking those that the path,
// the method or a common header rule out. Each entry stands in one group, or,
// if it has a prefix, in the group of each longer prefix that has it as well.
//
// A few entries are asked one after the other, which is quicker than that.
type index struct {
	few      []entry // if they are; then there is nothing else
	exact    map[string]*methods
	prefixes []prefixed // sorted
	rest     *methods   // those with another condition on the path, or none
}

type prefixed struct {
	text   string
	parent int // the longest prefix that this one begins with; -1: none
	routes *methods
}

// methods splits entries by the method that they ask for.
type methods struct {
	by   map[string]*group
	rest *group
}

// group splits entries by the text of the header that most of them ask for.
type group struct {
	header Header
	by     map[string][]entry
	rest   []entry
}

func newIndex(entries []entry) *index {
	if len(entries) <= mostFew {
		return &index{few: entries}
	}
	x := &index{exact: map[string]*methods{}}
	exactly, begins, others := map[string][]entry{}, map[string][]entry{}, []entry(nil)
	for _, e := range entries {
		if c := e.find(ofPath, exact); c != nil {
			exactly[c.text.text] = append(exactly[c.text.text], e.without(about(ofPath)))
		} else if c := e.find(ofPath, prefix); c != nil {
			begins[c.text.text] = append(begins[c.text.text], e.without(about(ofPath)))
		} else {
			others = append(others, e)
		}
	}
	for path, all := range exactly {
		x.exact[path] = newMethods(all)
	}
	texts := make([]string, 0, len(begins))
	for text := range begins {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	all := make([][]entry, len(texts)) // with those of the parents
	for n, text := range texts {
		p := prefixed{text: text, parent: n - 1}
		for p.parent >= 0 && !strings.HasPrefix(text, texts[p.parent]) {
			p.parent = x.prefixes[p.parent].parent
		}
		all[n] = begins[text]
		if p.parent >= 0 {
			all[n] = merge(all[n], all[p.parent])
		}
		p.routes = newMethods(all[n])
		x.prefixes = append(x.prefixes, p)
	}
	if len(others) > 0 {
		x.rest = newMethods(others)
	}
	return x
}

// merge keeps the order of the routes.
func merge(a, b []entry) []entry {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b entry) int { return a.order - b.order })
	return all
}

func newMethods(entries []entry) *methods {
	m := &methods{}
	by, rest := map[string][]entry{}, []entry(nil)
	for _, e := range entries {
		if c := e.find(ofMethod, exact); c != nil {
			by[c.text.text] = append(by[c.text.text], e.without(about(ofMethod)))
		} else {
			rest = append(rest, e)
		}
	}
	for method, all := range by {
		if m.by == nil {
			m.by = map[string]*group{}
		}
		m.by[method] = newGroup(all)
	}
	if len(rest) > 0 {
		m.rest = newGroup(rest)
	}
	return m
}

// mostFew is how many entries are asked without an index.
const mostFew = 6

// worthwhile is how many entries must ask for the text of one header for it to be
// looked up instead of compared.
const worthwhile = 4

func newGroup(entries []entry) *group {
	counts := map[Header]int{}
	var most Header
	for _, e := range entries {
		for _, c := range e.conditions {
			if c.of != ofHeader || c.text.how != exact {
				continue
			}
			if counts[c.header]++; counts[c.header] > counts[most] || counts[c.header] == counts[most] && c.header.Lower < most.Lower {
				most = c.header
			}
		}
	}
	g := &group{rest: entries}
	if counts[most] < worthwhile {
		return g
	}
	g.header, g.by, g.rest = most, map[string][]entry{}, nil
	for _, e := range entries {
		asks := func(c condition) bool { return c.of == ofHeader && c.text.how == exact && c.header == most }
		if n := slices.IndexFunc(e.conditions, asks); n >= 0 {
			text := e.conditions[n].text.text
			g.by[text] = append(g.by[text], e.without(asks))
		} else {
			g.rest = append(g.rest, e)
		}
	}
	return g
}

// none is later than every route.
const none = int(^uint(0) >> 1)

// first returns the order of the first route that matches a call, or none.
func (x *index) first(r Request) int {
	found := none
	if len(x.few) > 0 {
		return first(x.few, r, found)
	}
	if len(x.exact)+len(x.prefixes) > 0 {
		path := r.Path()
		if m := x.exact[path]; m != nil {
			found = m.first(r, found)
		}
		if n := x.longest(path); n >= 0 {
			found = x.prefixes[n].routes.first(r, found)
		}
	}
	if x.rest != nil {
		found = x.rest.first(r, found)
	}
	return found
}

// longest returns the place of the longest prefix of a path, -1 if there is
// none: what stands last before the path begins with it, or is it.
func (x *index) longest(path string) int {
	low, high := 0, len(x.prefixes)
	for low < high {
		middle := (low + high) / 2
		if x.prefixes[middle].text <= path {
			low = middle + 1
		} else {
			high = middle
		}
	}
	n := low - 1
	if n < 0 {
		return n
	}
	common := commonPrefix(x.prefixes[n].text, path)
	for n >= 0 && len(x.prefixes[n].text) > common {
		n = x.prefixes[n].parent
	}
	return n
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func (m *methods) first(r Request, before int) int {
	if m.by != nil {
		if g := m.by[r.Method()]; g != nil {
			before = g.first(r, before)
		}
	}
	if m.rest != nil {
		before = m.rest.first(r, before)
	}
	return before
}

func (g *group) first(r Request, before int) int {
	if g.by != nil {
		if value, ok := r.Header(g.header); ok {
			before = first(g.by[value], r, before)
		}
	}
	return first(g.rest, r, before)
}

func first(entries []entry, r Request, before int) int {
	for n := range entries {
		e := &entries[n]
		if e.order >= before {
			break
		}
		if e.holds(r) {
			return e.order
		}
	}
	return before
}

func (e *entry) holds(r Request) bool {
	for n := range e.conditions {
		if !e.conditions[n].holds(r) {
			return false
		}
	}
	return true
}
