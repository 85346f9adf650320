// Package yaml reads rule documents in YAML, the form in which people write
// them. It is a package of its own so that programs whose rules come from etcd,
// where they stand in JSON, link no reader of YAML.
package yaml

import (
	"errors"
	"fmt"
	"strings"

	goyaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/fairlead-go/fairlead/internal/document"
	"github.com/fairlead-go/fairlead/rule"
)

// Decode reads and validates one document in YAML, of which JSON is a part. It
// is as strict as [rule.Decode]; anchors, aliases and tags are refused. The
// error is [rule.Problems].
func Decode(text []byte) (rule.Policy, error) { return decode(text, rule.DecodeNode) }

// DecodeSettings is Decode for [rule.Settings].
func DecodeSettings(text []byte) (rule.Settings, error) {
	return decode(text, rule.DecodeSettingsNode)
}

func decode[T any](text []byte, decode func(*document.Node) (T, error)) (T, error) {
	root, err := read(text)
	if bad, ok := errors.AsType[*document.Error](err); ok {
		var none T
		return none, rule.Problems{{Line: bad.Line, Column: bad.Column, Allowed: bad.Reason}}
	}
	return decode(root)
}

func read(text []byte) (*document.Node, error) {
	start := document.Position{Line: 1, Column: 1}
	if len(text) > rule.MaxBytes {
		return nil, &document.Error{Position: start, Reason: fmt.Sprintf("the document has %d bytes, at most %d are allowed", len(text), rule.MaxBytes)}
	}
	if line, deep := tooDeep(text); deep {
		return nil, &document.Error{Position: document.Position{Line: line, Column: 1}, Reason: "nested too deep"}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, syntax(err)
	}
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return nil, &document.Error{Position: start, Reason: "there is no document"}
	case 1:
		return node(bodies[0], rule.MaxDepth)
	}
	return nil, refuse(bodies[1], "more after the end of the document")
}

// tooDeep is a look at what would take the parser long, which takes more than
// proportionally longer the deeper a text is nested. It knows nothing of quotes,
// and allows much more than the depth of a document.
func tooDeep(text []byte) (line int, deep bool) {
	const most = 16 * rule.MaxDepth
	line, open, dashes := 1, 0, 0
	for n, c := range text {
		switch {
		case c == '\n':
			line++
			dashes = 0
		case c == '[' || c == '{':
			open++
		case (c == ']' || c == '}') && open > 0:
			open--
		case c == '-' && n+1 < len(text) && text[n+1] == ' ':
			dashes++
		}
		if open > most || dashes > most {
			return line, true
		}
	}
	return 0, false
}

func syntax(err error) error {
	at := document.Position{Line: 1, Column: 1}
	if e, ok := errors.AsType[goyaml.Error](err); ok {
		if t := e.GetToken(); t != nil && t.Position != nil {
			at = document.Position{Line: t.Position.Line, Column: t.Position.Column}
		}
		return &document.Error{Position: at, Reason: "not YAML: " + e.GetMessage()}
	}
	return &document.Error{Position: at, Reason: "not YAML: " + err.Error()}
}

func position(n ast.Node) document.Position {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return document.Position{Line: t.Position.Line, Column: t.Position.Column}
	}
	return document.Position{Line: 1, Column: 1}
}

func refuse(n ast.Node, reason string) error {
	return &document.Error{Position: position(n), Reason: reason}
}

// node turns a tree of the parser's into one of ours. Depth is what is left.
func node(n ast.Node, depth int) (*document.Node, error) {
	if depth < 0 {
		return nil, refuse(n, "nested too deep")
	}
	to := &document.Node{Position: position(n), Text: n.GetToken().Value}
	switch n := n.(type) {
	case *ast.NullNode:
		to.Kind, to.Text = document.Null, ""
	case *ast.BoolNode:
		to.Kind, to.Text = document.Bool, fmt.Sprint(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		to.Kind = document.Number
	case *ast.StringNode:
		to.Kind, to.Text = document.Text, n.Value
		if t := n.GetToken(); t.Type == token.StringType && strings.Contains(strings.TrimSpace(t.Origin), "\t") {
			return nil, refuse(n, "a tab in a text without quotes, which the reader would lose")
		}
	case *ast.LiteralNode:
		to.Kind, to.Text = document.Text, n.Value.Value
	case *ast.SequenceNode:
		to.Kind, to.Text = document.List, ""
		for _, v := range n.Values {
			item, err := node(v, depth-1)
			if err != nil {
				return nil, err
			}
			to.Items = append(to.Items, item)
		}
	case *ast.MappingNode:
		return object(to, n.Values, depth)
	case *ast.MappingValueNode:
		return object(to, []*ast.MappingValueNode{n}, depth)
	default:
		return nil, refuse(n, fmt.Sprintf("%s is not allowed here", n.Type()))
	}
	return to, nil
}

func before(a, b document.Position) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
}

func object(to *document.Node, pairs []*ast.MappingValueNode, depth int) (*document.Node, error) {
	to.Kind, to.Text = document.Object, ""
	known := map[string]bool{}
	for n, pair := range pairs {
		name, err := node(pair.Key, depth)
		if err != nil {
			return nil, err
		}
		if n == 0 && before(name.Position, to.Position) {
			to.Position = name.Position // where a block begins, not its first colon
		}
		if known[name.Text] {
			return nil, refuse(pair.Key, fmt.Sprintf("%q is there twice", name.Text))
		}
		known[name.Text] = true
		value, err := node(pair.Value, depth-1)
		if err != nil {
			return nil, err
		}
		to.Fields = append(to.Fields, document.Field{Position: name.Position, Name: name.Text, Value: value})
	}
	return to, nil
}

// Dir is a [rule.Dir] of documents in YAML: orders.yaml.
func Dir(path string) rule.Dir {
	return rule.Dir{Path: path, Ext: ".yaml", Decode: Decode}
}
