package rule

import (
	"slices"
	"strings"
)

// Scope is what has something of its own: a breaker, or a limit.
type Scope uint8

const (
	PerInstance Scope = iota
	PerMethod
	PerService
	PerCaller // the service that calls
	PerKey    // what code said that the call is about
	PerClass  // its priority
	PerHeader // the value of a header
)

var scopes = [...]string{
	PerInstance: "instance", PerMethod: "method", PerService: "service",
	PerCaller: "caller", PerKey: "key", PerClass: "class", PerHeader: "header",
}

// String is as in a document, where a header's name follows it.
func (s Scope) String() string { return scopes[s] }

// keyed reports whether calls say themselves how many there are.
func (s Scope) keyed() bool { return s == PerCaller || s == PerKey || s == PerHeader }

// perOf reads what has a limit of its own, and the name of a header if that is
// it.
func perOf(text string) (of Scope, header string, ok bool) {
	if text == "" {
		return PerService, "", true
	}
	if name, is := strings.CutPrefix(text, "header:"); is {
		return PerHeader, name, isHeader(name)
	}
	n := slices.Index(scopes[:PerHeader], text)
	return Scope(max(n, 0)), "", n >= 0
}

// isHeader reports whether a text can be the name of a header: a token of RFC 9110.
func isHeader(name string) bool {
	for n := range len(name) {
		b := name[n]
		letter := 'a' <= b|0x20 && b|0x20 <= 'z'
		if !letter && !('0' <= b && b <= '9') && strings.IndexByte("!#$%&'*+-.^_`|~", b) < 0 {
			return false
		}
	}
	return name != "" && len(name) <= MaxText
}

// per judges what has a limit of its own.
func (c *checker) per(text string, allowed ...Scope) {
	of, _, ok := perOf(text)
	if ok && slices.Contains(allowed, of) {
		return
	}
	names := make([]string, len(allowed))
	for n, of := range allowed {
		if names[n] = of.String(); of == PerHeader {
			names[n] = "header:NAME"
		}
	}
	c.badField("per", quote(text), "allowed are "+strings.Join(names, ", "))
}
