package rule

import (
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/internal/document"
)

// place is where a walk through a document is. It is written down only where
// something is wrong.
type place []step

// step is a field, an item of a list, or a field whose name is the document's
// own.
type step struct {
	kind stepKind
	name string
	item int
}

type stepKind uint8

const (
	aField stepKind = iota
	anItem
	aKey
)

// String is such as `spec.routes[2].match[0].headers["x-user"]`.
func (p place) String() string {
	var b strings.Builder
	for n, s := range p {
		switch s.kind {
		case aField:
			if n > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		case anItem:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.item))
			b.WriteByte(']')
		case aKey:
			b.WriteByte('[')
			b.WriteString(quote(s.name))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// in finds the node at a place, or the last on the way there.
func (p place) in(root *document.Node) *document.Node {
	at := root
	for _, s := range p {
		switch {
		case s.kind == anItem && s.item < len(at.Items):
			at = at.Items[s.item]
		case s.kind != anItem && at.Field(s.name) != nil:
			at = at.Field(s.name).Value
		default:
			return at
		}
	}
	return at
}

// walk is a way through a document, and what was found wrong on it.
type walk struct {
	at       place
	problems Problems
	places   []place // of the problems
}

func (w *walk) field(name string) { w.at = append(w.at, step{kind: aField, name: name}) }
func (w *walk) item(n int)        { w.at = append(w.at, step{kind: anItem, item: n}) }
func (w *walk) key(name string)   { w.at = append(w.at, step{kind: aKey, name: name}) }
func (w *walk) back()             { w.at = w.at[:len(w.at)-1] }

// bad takes note of what is wrong here.
func (w *walk) bad(value, allowed string) {
	if len(w.problems) < mostProblems {
		w.problems = append(w.problems, Problem{Field: w.at.String(), Value: value, Allowed: allowed})
		w.places = append(w.places, append(place(nil), w.at...))
	}
}

// badField is bad for a field of what is here.
func (w *walk) badField(name, value, allowed string) {
	w.field(name)
	w.bad(value, allowed)
	w.back()
}
