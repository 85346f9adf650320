package discovery_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestSanitizeMeta(t *testing.T) {
	long := strings.Repeat("x", discovery.MaxMetaBytes+1)
	for _, row := range []struct {
		name  string
		meta  map[string]string
		clean map[string]string
	}{
		{"none", nil, nil},
		{"good", map[string]string{"team": "payments", "__proto__": "a name like any other"}, map[string]string{"team": "payments", "__proto__": "a name like any other"}},
		{"line break in a value", map[string]string{"a": "x\r\nHost: evil", "b": "y"}, map[string]string{"b": "y"}},
		{"line break in a key", map[string]string{"a\n": "x", "b": "y"}, map[string]string{"b": "y"}},
		{"zero byte", map[string]string{"a": "\x00", "b": "y"}, map[string]string{"b": "y"}},
		{"not UTF-8", map[string]string{"a": "\xff", "b": "y"}, map[string]string{"b": "y"}},
		{"beyond ASCII", map[string]string{"é": "x", "b": "y"}, map[string]string{"b": "y"}},
		{"empty key", map[string]string{"": "x", "b": "y"}, map[string]string{"b": "y"}},
		{"key too long", map[string]string{long: "x", "b": "y"}, map[string]string{"b": "y"}},
		{"value too long", map[string]string{"a": long, "b": ""}, map[string]string{"b": ""}},
		{"nothing good", map[string]string{"a": "\n"}, map[string]string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			clean, dropped := discovery.SanitizeMeta(row.meta)
			if !maps.Equal(clean, row.clean) || dropped != len(row.meta)-len(row.clean) {
				t.Errorf("%q, %d dropped; want %q", clean, dropped, row.clean)
			}
		})
	}
}

// Of too many, every reader keeps the same.
func TestSanitizeMetaKeepsTheSmallestKeys(t *testing.T) {
	meta, want := map[string]string{"k000": "\n"}, map[string]string{}
	for n := range 10_000 {
		k := fmt.Sprintf("k%05d", n)
		meta[k] = "v"
		if n < discovery.MaxMeta {
			want[k] = "v"
		}
	}
	clean, dropped := discovery.SanitizeMeta(meta)
	if !maps.Equal(clean, want) || dropped != len(meta)-discovery.MaxMeta {
		t.Errorf("%v, %d dropped", slices.Sorted(maps.Keys(clean)), dropped)
	}
}

// FuzzMetadataSanitise: what is left is valid, nothing else is lost than what
// has to be, and the input stays as it was.
func FuzzMetadataSanitise(f *testing.F) {
	f.Add("team=payments;a=\r\n;=x;\xff=\x00;__proto__=1", 0)
	f.Add("a=1", 70)
	f.Add(strings.Repeat("k", 257)+"=v;k="+strings.Repeat("v", 257)+";k="+strings.Repeat("v", 256), 63)
	f.Fuzz(func(t *testing.T, text string, more int) {
		meta := map[string]string{}
		for entry := range strings.SplitSeq(text, ";") {
			k, v, _ := strings.Cut(entry, "=")
			meta[k] = v
		}
		for n := range min(max(more, 0), 200) {
			meta[fmt.Sprint("more", n)] = ""
		}
		before := maps.Clone(meta)

		clean, dropped := discovery.SanitizeMeta(meta)
		i := valid()
		i.Meta = clean
		if err := i.Validate(); err != nil {
			t.Fatalf("what is left is bad: %v", err)
		}
		if !maps.Equal(meta, before) || len(clean)+dropped != len(meta) {
			t.Fatalf("%d entries, %d left, %d dropped; changed: %t", len(meta), len(clean), dropped, !maps.Equal(meta, before))
		}
		greatest := ""
		for k, v := range clean {
			if was, ok := meta[k]; !ok || was != v {
				t.Fatalf("%q=%q comes from nowhere", k, v)
			}
			greatest = max(greatest, k)
		}
		for k, v := range meta {
			if _, left := clean[k]; left || !fine(k) || k == "" || !fine(v) {
				continue
			}
			if len(clean) < discovery.MaxMeta || k < greatest {
				t.Fatalf("%q=%q is dropped, and %d entries up to %q are left", k, v, len(clean), greatest)
			}
		}
		if again, more := discovery.SanitizeMeta(clean); more != 0 || !maps.Equal(again, clean) {
			t.Fatalf("what is left is sanitised again, %d dropped", more)
		}
	})
}

func fine(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e })
}
