package rule

import (
	"cmp"
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a document.
type Problem struct {
	// Line and Column are where it stands in the text, from 1; 0 where there
	// is no text.
	Line, Column int
	// Field is what is wrong, such as "spec.routes[2].timeout"; empty: the text
	// as a whole.
	Field string
	// Value is what stands there, shortened, and Allowed what could.
	Value, Allowed string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", p.Line, p.Column)
	}
	if p.Field == "" && p.Value == "" {
		return b.String() + p.Allowed
	}
	b.WriteString(cmp.Or(p.Field, "the document"))
	if p.Value != "" {
		fmt.Fprintf(&b, " is %s", p.Value)
	}
	return b.String() + ": " + p.Allowed
}

// Problems is all that is wrong with a document, in the order of its text. It
// is the error of [Decode] and of [Policy.Validate].
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for n := range p {
		lines[n] = p[n].String()
	}
	return "rule: " + strings.Join(lines, "\n")
}

// mostProblems bounds what is said of one document.
const mostProblems = 100

// quote writes a text that may be anything, shortened.
func quote(text string) string {
	const most = 80
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Sprintf("%q", text)
}
