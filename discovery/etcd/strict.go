package etcd

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxDepth bounds how deep a record may be nested. Ours need four levels.
const maxDepth = 16

// strict reports why valid JSON is not to be believed: it is nested too deep,
// or it gives a name twice, of which another reader might take the other.
// Whether it is JSON at all is found by whoever decodes it.
func strict(value []byte) error {
	if err := shallow(value); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(value))
	var open []map[string]bool // names per open object, nil for an array
	name := false              // a name comes next
	for {
		token, err := d.Token()
		if err != nil {
			return nil // the end, or what the decoder will tell of better
		}
		text, isText := token.(string)
		switch {
		case token == json.Delim('{'):
			open = append(open, map[string]bool{})
		case token == json.Delim('['):
			open = append(open, nil)
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:len(open)-1]
		case name && isText:
			names := open[len(open)-1]
			if names[text] {
				return fmt.Errorf("name %.128q is there twice", text)
			}
			names[text], name = true, false
			continue
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

// shallow looks at nesting alone, before anything that recurses does.
func shallow(value []byte) error {
	depth, inText := 0, false
	for n := 0; n < len(value); n++ {
		switch c := value[n]; {
		case inText && c == '\\':
			n++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested deeper than %d levels", maxDepth)
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}
