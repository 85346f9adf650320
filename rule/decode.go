package rule

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
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
	return decode(root, (*decoder).policy, Policy.problems)
}

// DecodeSettings is Decode for [Settings].
func DecodeSettings(text []byte) (Settings, error) { return decodeJSON(text, DecodeSettingsNode) }

// DecodeSettingsNode is DecodeNode for [Settings].
func DecodeSettingsNode(root *document.Node) (Settings, error) {
	return decode(root, (*decoder).settings, Settings.problems)
}

func decodeJSON[T any](text []byte, decode func(*document.Node) (T, error)) (T, error) {
	root, err := document.JSON(text, document.Limits{Bytes: MaxBytes, Depth: MaxDepth})
	if bad, ok := errors.AsType[*document.Error](err); ok {
		var none T
		return none, Problems{{Line: bad.Line, Column: bad.Column, Allowed: bad.Reason}}
	}
	return decode(root)
}

func decode[T any](root *document.Node, read func(*decoder, *document.Node, *T), problems func(T) Problems) (T, error) {
	d := decoder{at: map[string]document.Position{}}
	var v, none T
	read(&d, root, &v)
	if len(d.problems) == 0 { // what was not understood cannot be judged
		d.problems = problems(v)
		for n := range d.problems {
			at := d.find(d.problems[n].Field)
			d.problems[n].Line, d.problems[n].Column = at.Line, at.Column
		}
	}
	if len(d.problems) == 0 {
		return v, nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return none, d.problems
}

// decoder turns a tree into a policy, and takes note of all that does not fit.
type decoder struct {
	problems Problems
	at       map[string]document.Position // by field
}

// find is where a field stands, or what it would be part of.
func (d *decoder) find(field string) document.Position {
	for field != "" {
		if at, ok := d.at[field]; ok {
			return at
		}
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return d.at[""]
}

func (d *decoder) bad(n *document.Node, field, allowed string) {
	value := n.Kind.String()
	switch n.Kind {
	case document.Text:
		value = quote(n.Text)
	case document.Number, document.Bool:
		value = n.Text
	}
	d.problems.add(n.Position, field, value, allowed)
}

// reader reads one node.
type reader func(n *document.Node, field string)

func (d *decoder) is(n *document.Node, field string, k document.Kind) bool {
	d.at[field] = n.Position
	if n.Kind != k {
		d.bad(n, field, "allowed is "+k.String())
	}
	return n.Kind == k
}

// object reads an object, each of whose fields has a reader.
func (d *decoder) object(n *document.Node, field string, fields map[string]reader) {
	if !d.is(n, field, document.Object) {
		return
	}
	for _, f := range n.Fields {
		path := join(field, f.Name)
		if read := fields[f.Name]; read != nil {
			read(f.Value, path)
			continue
		}
		d.problems.add(f.Position, path, "", "unknown; allowed are "+strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
	}
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

// each reads the items of a list into a slice.
func each[T any](d *decoder, to *[]T, read func(*document.Node, string, *T)) reader {
	return func(n *document.Node, field string) {
		if !d.is(n, field, document.List) {
			return
		}
		*to = make([]T, len(n.Items))
		for i, item := range n.Items {
			read(item, fmt.Sprintf("%s[%d]", field, i), &(*to)[i])
		}
	}
}

// named reads an object whose names are the document's own.
func named[T any](d *decoder, to *map[string]T, read func(*document.Node, string, *T)) reader {
	return func(n *document.Node, field string) {
		if !d.is(n, field, document.Object) {
			return
		}
		*to = make(map[string]T, len(n.Fields))
		for _, f := range n.Fields {
			var v T
			read(f.Value, key(field, f.Name), &v)
			(*to)[f.Name] = v
		}
	}
}

// key names an entry whose name is the document's own.
func key(field, name string) string { return field + "[" + quote(name) + "]" }

// pointer reads what may be missing as a whole.
func pointer[T any](to **T, read func(*document.Node, string, *T)) reader {
	return func(n *document.Node, field string) {
		*to = new(T)
		read(n, field, *to)
	}
}

func (d *decoder) text(n *document.Node, field string, to *string) {
	if d.is(n, field, document.Text) {
		*to = n.Text
	}
}

func (d *decoder) intoText(to *string) reader {
	return func(n *document.Node, field string) { d.text(n, field, to) }
}

func (d *decoder) intoBool(to *bool) reader {
	return func(n *document.Node, field string) {
		if d.is(n, field, document.Bool) {
			*to = n.Text == "true"
		}
	}
}

func (d *decoder) intoInt(to *int) reader {
	return func(n *document.Node, field string) {
		if !d.is(n, field, document.Number) {
			return
		}
		v, err := strconv.ParseInt(n.Text, 10, 32)
		if err != nil {
			d.bad(n, field, "allowed is a whole number")
		}
		*to = int(v)
	}
}

// intoValue reads a value that has a form of its own.
func (d *decoder) intoValue(to encoding.TextUnmarshaler, form string) reader {
	return func(n *document.Node, field string) {
		if d.is(n, field, document.Text) && to.UnmarshalText([]byte(n.Text)) != nil {
			d.bad(n, field, "allowed is "+form)
		}
	}
}

func (d *decoder) intoDuration(to *Duration) reader {
	return d.intoValue(to, `a duration such as "800ms" or "1m30s"`)
}

func (d *decoder) intoPercent(to *Percent) reader {
	return d.intoValue(to, `a percentage such as "20%" or "0.5%"`)
}
