package etcd

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Bounds of what is read as a record. Ours need four levels, and no more names
// in an object than an instance may have metadata.
const (
	maxDepth = 16
	maxNames = 256
)

// strict reports why valid JSON is not to be believed: it is nested too deep,
// or it gives a name twice, of which another reader might take the other.
// Whether it is JSON at all is found by whoever decodes it.
func strict(value []byte) error {
	var s scanner
	for n := 0; n < len(value); n++ {
		switch c := value[n]; c {
		case '{', '[':
			if err := s.open(c); err != nil {
				return err
			}
		case '}', ']':
			s.close()
		case ',':
			s.named = false
		case '"':
			end := endOfText(value, n)
			if err := s.text(value[n+1 : end]); err != nil {
				return err
			}
			n = end
		}
	}
	return nil
}

// endOfText returns where the text ends that begins at a quote.
func endOfText(value []byte, n int) int {
	for n++; n < len(value) && value[n] != '"'; n++ {
		if value[n] == '\\' {
			n++
		}
	}
	return min(n, len(value))
}

// scanner knows where in a JSON text it is, and the names of the objects that
// are open there.
type scanner struct {
	depth  int
	object [maxDepth]bool // or an array
	first  [maxDepth]int  // of its names
	names  [][]byte       // of all that are open
	named  bool           // a name was read, and a value follows
}

func (s *scanner) open(c byte) error {
	if s.depth == maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	s.object[s.depth], s.first[s.depth] = c == '{', len(s.names)
	s.depth++
	s.named = false
	return nil
}

func (s *scanner) close() {
	if s.depth > 0 {
		s.depth--
		s.names = s.names[:s.first[s.depth]]
		s.named = true
	}
}

func (s *scanner) text(raw []byte) error {
	if s.depth == 0 || !s.object[s.depth-1] || s.named {
		return nil
	}
	s.named = true
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = unescaped(raw)
	}
	siblings := s.names[s.first[s.depth-1]:]
	if len(siblings) == maxNames {
		return fmt.Errorf("more than %d names in an object", maxNames)
	}
	for _, other := range siblings {
		if bytes.Equal(other, raw) {
			return fmt.Errorf("name %.128q is there twice", raw)
		}
	}
	s.names = append(s.names, raw)
	return nil
}

func unescaped(raw []byte) []byte {
	var text string
	if json.Unmarshal([]byte(`"`+string(raw)+`"`), &text) != nil {
		return raw // the decoder will tell
	}
	return []byte(text)
}
