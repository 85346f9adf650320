package etcd

import (
	"strings"
	"testing"
)

func TestStrict(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for _, c := range []struct {
		name, value string
		refuse      string // part of the reason; "": accepted
	}{
		{"Flat", `{"a":1,"b":[1,2],"c":{"a":"x"}}`, ""},
		{"SameNameInOtherObjects", `[{"a":1},{"a":{"a":1}}]`, ""},
		{"SameNameAsValue", `{"a":"a","b":"a"}`, ""},
		{"NamesThatDifferInCase", `{"a":1,"A":2}`, ""},
		{"DeepEnough", deep(maxDepth), ""},
		{"BracketsInText", `{"a":"` + strings.Repeat(`[{`, 40) + `","b":"\"[[[[[[[[[[[[[[[[[["}`, ""},
		{"Twice", `{"a":1,"b":2,"a":3}`, `"a" is there twice`},
		{"TwiceInside", `{"x":[{"k":{},"k":1}]}`, `"k" is there twice`},
		{"TwiceAfterNested", `{"a":{"b":1},"a":1}`, `"a" is there twice`},
		{"TwiceEscaped", `{"a":1,"\u0061":2}`, `"a" is there twice`},
		{"TooDeep", deep(maxDepth + 1), "nested deeper"},
		{"64Levels", strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat(`}`, 64), "nested deeper"},
		{"OpenForEver", strings.Repeat(`[`, 8000), "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := strict([]byte(c.value))
			if (err == nil) != (c.refuse == "") || err != nil && !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("strict: %v, want a reason with %q", err, c.refuse)
			}
		})
	}
}
