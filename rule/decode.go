package rule

import (
	"cmp"
	"encoding"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/internal/document"
)

// Decode reads and validates a document in JSON. The error is [Problems], which
// says all that is wrong; the policy is then not to be used.
func Decode(text []byte) (Policy, error) { return decodeJSON(text, DecodeNode) }

// DecodeNode is Decode for a document that was read already, from whatever
// form.
func DecodeNode(root *document.Node) (Policy, error) {
	return decode(root, (*decoder).policy, Policy.check)
}

// DecodeSettings is Decode for [Settings].
func DecodeSettings(text []byte) (Settings, error) { return decodeJSON(text, DecodeSettingsNode) }

// DecodeSettingsNode is DecodeNode for [Settings].
func DecodeSettingsNode(root *document.Node) (Settings, error) {
	return decode(root, (*decoder).settings, Settings.check)
}

func decodeJSON[T any](text []byte, decode func(*document.Node) (T, error)) (T, error) {
	root, err := document.JSON(text, document.Limits{Bytes: MaxBytes, Depth: MaxDepth})
	if bad, ok := errors.AsType[*document.Error](err); ok {
		var none T
		return none, Problems{{Line: bad.Line, Column: bad.Column, Allowed: bad.Reason}}
	}
	return decode(root)
}

func decode[T any](root *document.Node, read func(*decoder, *document.Node, *T), check func(T) walk) (T, error) {
	d := decoder{}
	var v, none T
	read(&d, root, &v)
	found := d.walk
	if len(found.problems) == 0 { // what was not understood cannot be judged
		if found = check(v); len(found.problems) == 0 {
			return v, nil
		}
		for n, p := range found.places {
			at := p.in(root)
			found.problems[n].Line, found.problems[n].Column = at.Line, at.Column
		}
	}
	slices.SortStableFunc(found.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return none, found.problems
}

// decoder turns a tree into a policy, and takes note of all that does not fit.
type decoder struct{ walk }

func (d *decoder) wrong(n *document.Node, allowed string) {
	value := n.Kind.String()
	switch n.Kind {
	case document.Text:
		value = quote(n.Text)
	case document.Number, document.Bool:
		value = n.Text
	}
	d.badAt(n.Position, value, allowed)
}

func (d *decoder) badAt(at document.Position, value, allowed string) {
	d.bad(value, allowed)
	last := &d.problems[len(d.problems)-1]
	if last.Line == 0 { // else there are too many
		last.Line, last.Column = at.Line, at.Column
	}
}

func (d *decoder) is(n *document.Node, k document.Kind) bool {
	if n.Kind != k {
		d.wrong(n, "allowed is "+k.String())
	}
	return n.Kind == k
}

// object reads the fields of an object into a struct. read reports whether there
// is one of that name.
func (d *decoder) object(n *document.Node, into any, read func(name string, v *document.Node) bool) {
	if !d.is(n, document.Object) {
		return
	}
	for _, f := range n.Fields {
		d.field(f.Name)
		if !read(f.Name, f.Value) {
			d.badAt(f.Position, "", "unknown; allowed are "+strings.Join(fieldsOf(reflect.TypeOf(into).Elem()), ", "))
		}
		d.back()
	}
}

// fieldsOf lists what the JSON of a struct may have, for people.
func fieldsOf(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		if f.Anonymous {
			names = append(names, fieldsOf(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// each reads the items of a list.
func each[T any](d *decoder, n *document.Node, to *[]T, read func(*decoder, *document.Node, *T)) {
	if !d.is(n, document.List) {
		return
	}
	*to = make([]T, len(n.Items))
	for i, item := range n.Items {
		d.item(i)
		read(d, item, &(*to)[i])
		d.back()
	}
}

// named reads an object whose names are the document's own.
func named[T any](d *decoder, n *document.Node, to *map[string]T, read func(*decoder, *document.Node, *T)) {
	if !d.is(n, document.Object) {
		return
	}
	*to = make(map[string]T, len(n.Fields))
	for _, f := range n.Fields {
		var v T
		d.key(f.Name)
		read(d, f.Value, &v)
		d.back()
		(*to)[f.Name] = v
	}
}

// some reads what may be missing as a whole.
func some[T any](d *decoder, n *document.Node, to **T, read func(*decoder, *document.Node, *T)) {
	*to = new(T)
	read(d, n, *to)
}

func (d *decoder) text(n *document.Node, to *string) {
	if d.is(n, document.Text) {
		*to = n.Text
	}
}

func (d *decoder) bool(n *document.Node, to *bool) {
	if d.is(n, document.Bool) {
		*to = n.Text == "true"
	}
}

func (d *decoder) int(n *document.Node, to *int) {
	if !d.is(n, document.Number) {
		return
	}
	v, err := strconv.ParseInt(n.Text, 10, 32)
	if err != nil {
		d.wrong(n, "allowed is a whole number")
	}
	*to = int(v)
}

func (d *decoder) number(n *document.Node, to *float64) {
	if !d.is(n, document.Number) {
		return
	}
	v, err := strconv.ParseFloat(n.Text, 64)
	if err != nil {
		d.wrong(n, "allowed is a number")
	}
	*to = v
}

// value reads what has a form of its own.
func (d *decoder) value(n *document.Node, to encoding.TextUnmarshaler, form string) {
	if d.is(n, document.Text) && to.UnmarshalText([]byte(n.Text)) != nil {
		d.wrong(n, "allowed is "+form)
	}
}

func (d *decoder) duration(n *document.Node, to *Duration) {
	d.value(n, to, `a duration such as "800ms" or "1m30s"`)
}

func (d *decoder) percent(n *document.Node, to *Percent) {
	d.value(n, to, `a percentage such as "20%" or "0.5%"`)
}

// share reads a percentage that says something else when it is none than when it
// is absent, and cannot be none.
func (d *decoder) share(n *document.Node, to *Percent) {
	found := len(d.problems)
	if d.percent(n, to); *to == 0 && len(d.problems) == found {
		d.wrong(n, "allowed is 0.01% to 100%")
	}
}
