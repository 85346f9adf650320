// Package document reads documents that people write into trees whose nodes
// know where they stand, so that whoever finds fault with one can say where.
package document

import (
	"fmt"
	"slices"
)

// Kind is what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	Bool
	Number
	Text
	List
	Object
)

func (k Kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "a text", "a list", "an object"}[k]
}

// Position is a place in a document, counted from 1. Zero: none.
type Position struct{ Line, Column int }

// Node is a value in a document.
type Node struct {
	Position
	Kind   Kind
	Text   string  // of a scalar, as it is written, a text without its quotes and escapes
	Items  []*Node // of a list
	Fields []Field // of an object, in their order; no name is there twice

	names map[string]bool // of the fields, once they are many
}

// many is how many fields are found by a map.
const many = 16

// has reports whether an object that is being read has a field.
func (n *Node) has(name string) bool {
	if len(n.Fields) < many {
		return slices.ContainsFunc(n.Fields, func(f Field) bool { return f.Name == name })
	}
	if n.names == nil {
		n.names = make(map[string]bool, 2*many)
		for _, f := range n.Fields {
			n.names[f.Name] = true
		}
	}
	known := n.names[name]
	n.names[name] = true
	return known
}

// Field returns the field of an object by its name, nil if it has none.
func (n *Node) Field(name string) *Field {
	for i := range n.Fields {
		if n.Fields[i].Name == name {
			return &n.Fields[i]
		}
	}
	return nil
}

// Field is a named value of an object.
type Field struct {
	Position
	Name  string
	Value *Node
}

// Error says why a text is no document, and where.
type Error struct {
	Position
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Limits bound a document.
type Limits struct {
	Bytes int
	Depth int // of objects and lists within each other
}
