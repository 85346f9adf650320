package rule

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxSubject bounds what a pattern is tried on: RE2 takes time in proportion to
// it. Longer texts match no pattern.
const maxSubject = 1 << 10

// condition is one thing that has to hold of a call.
type condition struct {
	of     property
	header Header
	name   string // of a query parameter, of baggage, of a cookie
	text   matcher
}

type property uint8

const (
	ofMethod property = iota
	ofPath
	ofHeader
	ofQuery
	ofCaller
	ofBaggage
	ofCookie
	ofKey
)

func (c *condition) holds(r Request) bool {
	value, ok := c.value(r)
	return ok && c.text.matches(value)
}

func (c *condition) value(r Request) (string, bool) {
	switch c.of {
	case ofMethod:
		return r.Method(), true
	case ofPath:
		return r.Path(), true
	case ofHeader:
		return r.Header(c.header)
	case ofQuery:
		return r.Query(c.name)
	case ofCaller:
		caller := r.Caller()
		return caller, caller != ""
	case ofBaggage:
		return r.Baggage(c.name)
	case ofCookie:
		header, _ := r.Header(c.header)
		return cookie(header, c.name)
	default:
		return r.Key(), true
	}
}

// keyOf is the property that a text such as "header:x-user" names.
func keyOf(text string) condition {
	of, name, _ := strings.Cut(text, ":")
	switch of {
	case "header":
		return condition{of: ofHeader, header: headerOf(name)}
	case "cookie":
		return condition{of: ofCookie, header: headerOf("cookie"), name: name}
	case "query":
		return condition{of: ofQuery, name: name}
	case "baggage":
		return condition{of: ofBaggage, name: name}
	}
	return condition{of: ofKey}
}

// matcher is a [Text] ready for use.
type matcher struct {
	how  how
	text string
	re   *regexp.Regexp
}

type how uint8

const (
	exact how = iota // in the order in which they are asked
	prefix
	present
	regex
)

func matcherOf(t Text) matcher {
	switch {
	case t.Exact != "":
		return matcher{how: exact, text: t.Exact}
	case t.Prefix != "":
		return matcher{how: prefix, text: t.Prefix}
	case t.Regex != "":
		re, _, _ := pattern(t.Regex) // validated
		return matcher{how: regex, re: re}
	}
	return matcher{how: present}
}

func (m *matcher) matches(value string) bool {
	switch m.how {
	case exact:
		return value == m.text
	case prefix:
		return strings.HasPrefix(value, m.text)
	case regex:
		return len(value) <= maxSubject && m.re.MatchString(value)
	}
	return true
}

// conditionsOf lists what has to hold for a match, the cheapest first.
func conditionsOf(m Match) (all []condition) {
	if m.Method != "" {
		all = append(all, condition{of: ofMethod, text: matcher{how: exact, text: m.Method}})
	}
	if m.Path != nil {
		all = append(all, condition{of: ofPath, text: matcherOf(*m.Path)})
	}
	if m.Caller != nil {
		all = append(all, condition{of: ofCaller, text: matcherOf(*m.Caller)})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		all = append(all, condition{of: ofHeader, header: headerOf(name), text: matcherOf(m.Headers[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Query)) {
		all = append(all, condition{of: ofQuery, name: name, text: matcherOf(m.Query[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Baggage)) {
		all = append(all, condition{of: ofBaggage, name: name, text: matcherOf(m.Baggage[name])})
	}
	slices.SortStableFunc(all, func(a, b condition) int { return int(a.text.how) - int(b.text.how) })
	return all
}
