package fairhttp

import (
	"cmp"
	"net/http"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// arrived is a request that came to a server as the conditions of rules see it: a
// [rule.Request]. Who calls is who the client says that it is; what code says the call
// is about is not known.
type arrived struct{ r *http.Request }

func (a arrived) Method() string { return a.r.Method }
func (a arrived) Path() string   { return cmp.Or(a.r.URL.Path, "/") }
func (a arrived) Caller() string { return a.r.Header.Get(Caller) }
func (arrived) Key() string      { return "" }

func (a arrived) Query(name string) (string, bool) { return parameter(a.r.URL.RawQuery, name) }

func (a arrived) Header(h rule.Header) (string, bool) {
	values := a.r.Header[h.Canonical]
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func (a arrived) Baggage(name string) (string, bool) {
	return transport.BaggageOf(a.r.Context(), name)
}
