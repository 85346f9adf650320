package rule

import "reflect"

// Counting is which calls a limit counts, and which of them together.
type Counting struct {
	Name   string
	Per    Scope
	Header Header // of PerHeader

	match []Match
	matching
}

func newCounting(name, per string, match []Match) Counting {
	c := Counting{Name: name, match: match, matching: newMatching(match)}
	of, header, _ := perOf(per) // validated
	if c.Per = of; of == PerHeader {
		c.Header = headerOf(header)
	}
	return c
}

// Keeps reports whether what was counted for the previous one counts for this one:
// it has the same name, and counts the same calls in the same way.
func (c *Counting) Keeps(previous *Counting) bool {
	return c.Name == previous.Name && c.Per == previous.Per && c.Header == previous.Header && reflect.DeepEqual(c.match, previous.match)
}
