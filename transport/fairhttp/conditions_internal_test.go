package fairhttp

import (
	"net/url"
	"testing"
)

func FuzzParameter(f *testing.F) {
	for _, query := range []string{"", "a=1", "b=2&a=1&a=3", "a", "a=", "%61=x%20y", "a=+", "a=%zz&a=2", "a=1;b=2&a=3", "&&a=1", "a=b=c"} {
		f.Add(query, "a")
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		all, _ := url.ParseQuery(query) // what is wrong is left out
		value, ok := parameter(query, name)
		if ok != all.Has(name) || value != all.Get(name) {
			t.Errorf("%q of %q is %q, %t; want %q, %t", name, query, value, ok, all.Get(name), all.Has(name))
		}
	})
}
