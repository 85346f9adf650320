package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
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

// plain is a tree as encoding/json has it.
func plain(n *Node) any {
	switch n.Kind {
	case Null:
		return nil
	case Bool:
		return n.Text == "true"
	case Number:
		return json.Number(n.Text)
	case Text:
		return n.Text
	case List:
		all := []any{}
		for _, i := range n.Items {
			all = append(all, plain(i))
		}
		return all
	}
	all := map[string]any{}
	for _, f := range n.Fields {
		all[f.Name] = plain(f.Value)
	}
	return all
}

// FuzzJSON holds the reader to encoding/json, whatever the text.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,"x",null,{"b":true}]}`, `"\u00e9\ud800\"\\"`, ` [ -0.5e+7 , false ] `, `{"a":1,"a":2}`, "{}{}", `{"a":{},"b":[]}`, "1 2", "[1,]", `"\`, "[[[[]]]]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := JSON(text, some)
		if (n == nil) != (err != nil) {
			t.Fatalf("%v and %v", n, err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want any
		if wantErr := d.Decode(&want); err == nil && (wantErr != nil || !reflect.DeepEqual(plain(n), want)) {
			t.Fatalf("%q is read as %v, encoding/json reads %v, %v", text, plain(n), want, wantErr)
		}
		if err != nil && utf8.Valid(text) && json.Valid(text) && len(text) <= some.Bytes && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "deep") {
			t.Fatalf("%q is refused: %v", text, err)
		}
	})
}

// Many fields are known apart as few are.
func TestManyFields(t *testing.T) {
	var b strings.Builder
	for n := range 100 {
		fmt.Fprintf(&b, `"f%d":%d,`, n, n)
	}
	fields := b.String()
	limits := Limits{Bytes: 10_000, Depth: 1}
	if n, err := JSON([]byte("{"+fields+`"last":1}`), limits); err != nil || len(n.Fields) != 101 || n.Field("f99").Value.Text != "99" || n.Field("f100") != nil {
		t.Errorf("%v, %v", n, err)
	}
	if _, err := JSON([]byte("{"+fields+`"f7":1}`), limits); err == nil || !strings.Contains(err.Error(), `"f7" is there twice`) {
		t.Error(err)
	}
	if _, err := JSON([]byte("{"+fields+`"last":1,"last":2}`), limits); err == nil || !strings.Contains(err.Error(), `"last" is there twice`) {
		t.Error(err)
	}
}
