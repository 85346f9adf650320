package fairhttp

import (
	"net/url"
	"strings"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// conditions is an exchange as the conditions of rules see it: a
// [rule.Request].
type conditions exchange

func (c *conditions) Method() string { return c.call.Method }
func (c *conditions) Path() string   { return c.request.URL.Path }
func (c *conditions) Key() string    { return c.call.Key }
func (c *conditions) Caller() string { return c.transport.mesh.Caller() }

func (c *conditions) Header(h rule.Header) (string, bool) {
	values := c.request.Header[h.Canonical]
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func (c *conditions) Query(name string) (string, bool) {
	return parameter(c.request.URL.RawQuery, name)
}

func (c *conditions) Baggage(name string) (string, bool) {
	return transport.BaggageOf(c.request.Context(), name)
}

// parameter is [url.ParseQuery] for the first value of one name, without a map
// of all of them.
func parameter(query, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" || strings.Contains(pair, ";") {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil || key != name {
			continue
		}
		if value, err = url.QueryUnescape(value); err == nil {
			return value, true
		}
	}
	return "", false
}
