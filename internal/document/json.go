package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// JSON reads one JSON text. It refuses what readers may understand in different
// ways: names that are there twice, text that is not UTF-8, more than one
// value. The error is an [*Error].
func JSON(text []byte, most Limits) (*Node, error) {
	if len(text) > most.Bytes {
		return nil, &Error{Position{1, 1}, fmt.Sprintf("the document has %d bytes, at most %d are allowed", len(text), most.Bytes)}
	}
	r := &jsonReader{text: text, decoder: json.NewDecoder(bytes.NewReader(text)), depth: most.Depth}
	r.decoder.UseNumber()
	if !utf8.Valid(text) {
		return nil, r.errorf(invalidAt(text), "not UTF-8")
	}
	n, err := r.value(r.next())
	if err != nil {
		return nil, err
	}
	if at := r.next(); at < len(text) {
		return nil, r.errorf(at, "more after the end of the document")
	}
	return n, nil
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

type jsonReader struct {
	text    []byte
	decoder *json.Decoder
	depth   int // that is left

	counted  int // bytes whose lines are counted
	position Position
}

// next is where the next token begins.
func (r *jsonReader) next() int {
	n := int(r.decoder.InputOffset())
	for n < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,:"), r.text[n]) >= 0 {
		n++
	}
	return n
}

// at is the position of a byte; called in their order it reads the text once.
func (r *jsonReader) at(n int) Position {
	if n < r.counted || r.position.Line == 0 {
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
	return &Error{r.at(at), fmt.Sprintf(format, args...)}
}

// token reads the token that begins at a byte.
func (r *jsonReader) token(at int) (json.Token, error) {
	t, err := r.decoder.Token()
	if err == nil {
		return t, nil
	}
	// Unmarshal reads the whole and knows better than Token where it went wrong.
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(r.text, new(json.RawMessage))); ok && int(syntax.Offset) < len(r.text) {
		return nil, r.errorf(int(syntax.Offset)-1, "not JSON: %s", syntax.Error())
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, r.errorf(len(r.text), "not JSON: it ends too early")
	}
	return nil, r.errorf(at, "not JSON: %s", err)
}

func (r *jsonReader) value(at int) (*Node, error) {
	t, err := r.token(at)
	if err != nil {
		return nil, err
	}
	n := &Node{Position: r.at(at)}
	switch t := t.(type) {
	case nil:
		n.Kind = Null
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(t)
	case json.Number:
		n.Kind, n.Text = Number, t.String()
	case string:
		n.Kind, n.Text = Text, t
	case json.Delim:
		if r.depth--; r.depth < 0 {
			return nil, r.errorf(at, "nested too deep")
		}
		if t == '[' {
			n.Kind, err = List, r.list(n)
		} else {
			n.Kind, err = Object, r.object(n)
		}
		r.depth++
	}
	return n, err
}

func (r *jsonReader) list(n *Node) error {
	for r.decoder.More() {
		item, err := r.value(r.next())
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	_, err := r.token(r.next())
	return err
}

func (r *jsonReader) object(n *Node) error {
	known := map[string]bool{}
	for r.decoder.More() {
		at := r.next()
		t, err := r.token(at)
		if err != nil {
			return err
		}
		f := Field{Position: r.at(at), Name: t.(string)}
		if known[f.Name] {
			return r.errorf(at, "%q is there twice", f.Name)
		}
		known[f.Name] = true
		if f.Value, err = r.value(r.next()); err != nil {
			return err
		}
		n.Fields = append(n.Fields, f)
	}
	_, err := r.token(r.next())
	return err
}
