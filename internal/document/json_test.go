package document

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

var some = Limits{Bytes: 1000, Depth: 3}

// describe writes a tree with its positions.
func describe(n *Node) string {
	at := fmt.Sprintf("%d:%d ", n.Line, n.Column)
	switch n.Kind {
	case List:
		var items []string
		for _, i := range n.Items {
			items = append(items, describe(i))
		}
		return at + "[" + strings.Join(items, " ") + "]"
	case Object:
		var fields []string
		for _, f := range n.Fields {
			fields = append(fields, fmt.Sprintf("%d:%d %s=%s", f.Line, f.Column, f.Name, describe(f.Value)))
		}
		return at + "{" + strings.Join(fields, " ") + "}"
	}
	return at + n.Text
}

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"Scalars", `[null,true,-1.5e3,"x"]`, `1:1 [1:2  1:7 true 1:12 -1.5e3 1:19 x]`},
		{"Positions", "{\n\t\"é\": 1,\r\n  \"b\" : [ 2 ,\n{}]}", `1:1 {2:2 é=2:7 1 3:3 b=3:9 [3:11 2 4:1 {}]}`},
		{"Escapes", `"\u00e9\n"`, "1:1 é\n"},
		{"Space", " \n 7 \n", "2:2 7"},
		{"Depth", `[[[1]]]`, `1:1 [1:2 [1:3 [1:4 1]]]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := JSON([]byte(c.text), some)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(n); got != c.want {
				t.Errorf("read as %q, want %q", got, c.want)
			}
		})
	}
}

func TestJSONRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"Nothing", "", "line 1, column 1: not JSON: it ends too early"},
		{"Half", "{\n\"a\":", "line 2, column 5: not JSON: it ends too early"},
		{"Syntax", "{\n\"a\": yes}", "line 2, column 6: not JSON"},
		{"Twice", "{\"a\":1,\n \"a\":2}", `line 2, column 2: "a" is there twice`},
		{"TwoDocuments", "{} {}", "line 1, column 4: more after the end"},
		{"TooDeep", "[[[[1]]]]", "line 1, column 4: nested too deep"},
		{"NotUTF8", "[\"a\xff\"]", "line 1, column 4: not UTF-8"},
		{"TooLong", strings.Repeat(" ", 1001), "1001 bytes, at most 1000"},
		{"MissingComma", "[1 2]", "line 1, column 4: not JSON"},
		{"WrongClose", "{]", "line 1, column 2: not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := JSON([]byte(c.text), some)
			if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",null,{"b":true}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := JSON(text, some)
		if (n == nil) != (err != nil) {
			t.Fatalf("%v and %v", n, err)
		}
	})
}
