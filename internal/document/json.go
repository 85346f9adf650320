package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// JSON reads one JSON text. It refuses what readers may understand in different
// ways: names that are there twice, text that is not UTF-8, more than one
// value. The error is an [*Error].
//
// Whether it is JSON at all is for encoding/json to say. What is left is small,
// and several times as quick as its tokens: a thousand processes read a rule at
// the same moment.
func JSON(text []byte, most Limits) (*Node, error) {
	if len(text) > most.Bytes {
		return nil, &Error{Position{1, 1}, fmt.Sprintf("the document has %d bytes, at most %d are allowed", len(text), most.Bytes)}
	}
	r := &jsonReader{text: string(text), depth: most.Depth, position: Position{1, 1}}
	if !utf8.Valid(text) {
		return nil, r.errorf(invalidAt(text), "not UTF-8")
	}
	if !json.Valid(text) {
		return nil, r.invalid(text)
	}
	r.skip()
	return r.value()
}

// invalidAt is where text ceases to be UTF-8.
func invalidAt(text []byte) int {
	for n := 0; n < len(text); {
		c, size := utf8.DecodeRune(text[n:])
		if c == utf8.RuneError && size == 1 {
			return n
		}
		n += size
	}
	return len(text)
}

// jsonReader reads a text that is known to be JSON.
type jsonReader struct {
	text  string
	at    int    // the next byte
	depth int    // that is left
	slab  []Node // of which nodes are taken

	counted  int // bytes whose lines are counted
	position Position
}

// skip passes over space, and over what stands between values.
func (r *jsonReader) skip() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			r.at++
		default:
			return
		}
	}
}

// here is the position of the next byte; it reads the text once.
func (r *jsonReader) here() Position { return r.positionOf(r.at) }

func (r *jsonReader) positionOf(n int) Position {
	if n < r.counted {
		r.counted, r.position = 0, Position{1, 1}
	}
	for ; r.counted < n && r.counted < len(r.text); r.counted++ {
		switch c := r.text[r.counted]; {
		case c == '\n':
			r.position.Line++
			r.position.Column = 1
		case utf8.RuneStart(c):
			r.position.Column++
		}
	}
	return r.position
}

func (r *jsonReader) errorf(at int, format string, args ...any) *Error {
	return &Error{r.positionOf(at), fmt.Sprintf(format, args...)}
}

// invalid says where a text is not JSON.
func (r *jsonReader) invalid(text []byte) *Error {
	syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, new(json.RawMessage)))
	switch {
	case !ok:
		return r.errorf(0, "not JSON")
	case strings.Contains(syntax.Error(), "after top-level value"):
		return r.errorf(int(syntax.Offset)-1, "more after the end of the document")
	case strings.Contains(syntax.Error(), "unexpected end"):
		return r.errorf(len(text), "not JSON: it ends too early")
	}
	return r.errorf(int(syntax.Offset)-1, "not JSON: %s", syntax.Error())
}

func (r *jsonReader) node(k Kind) *Node {
	if len(r.slab) == 0 {
		r.slab = make([]Node, 32)
	}
	n := &r.slab[0]
	r.slab = r.slab[1:]
	n.Position, n.Kind = r.here(), k
	return n
}

func (r *jsonReader) value() (*Node, error) {
	switch r.text[r.at] {
	case '{':
		return r.within(r.node(Object), r.object)
	case '[':
		return r.within(r.node(List), r.list)
	case '"':
		n := r.node(Text)
		n.Text = r.quoted()
		return n, nil
	case 't', 'f':
		n := r.node(Bool)
		n.Text = r.word()
		return n, nil
	case 'n':
		n := r.node(Null)
		r.word()
		return n, nil
	}
	n := r.node(Number)
	n.Text = r.word()
	return n, nil
}

// word reads up to what ends a number or a name.
func (r *jsonReader) word() string {
	begin := r.at
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n,]}", r.text[r.at]) < 0 {
		r.at++
	}
	return r.text[begin:r.at]
}

// quoted reads a text.
func (r *jsonReader) quoted() (text string) {
	begin, escaped := r.at, false
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	r.at++
	if !escaped {
		return r.text[begin+1 : r.at-1]
	}
	_ = json.Unmarshal([]byte(r.text[begin:r.at]), &text) // it is JSON
	return text
}

// within reads what is in a list or an object.
func (r *jsonReader) within(n *Node, inner func(*Node) error) (*Node, error) {
	if r.depth--; r.depth < 0 {
		return nil, r.errorf(r.at, "nested too deep")
	}
	r.at++
	r.skip()
	if err := inner(n); err != nil {
		return nil, err
	}
	r.at++
	r.depth++
	return n, nil
}

func (r *jsonReader) list(n *Node) error {
	for ; r.text[r.at] != ']'; r.skip() {
		item, err := r.value()
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	return nil
}

func (r *jsonReader) object(n *Node) error {
	for ; r.text[r.at] != '}'; r.skip() {
		at := r.at
		f := Field{Position: r.here(), Name: r.quoted()}
		if n.has(f.Name) {
			return r.errorf(at, "%q is there twice", f.Name)
		}
		r.skip()
		var err error
		if f.Value, err = r.value(); err != nil {
			return err
		}
		n.Fields = append(n.Fields, f)
	}
	return nil
}
