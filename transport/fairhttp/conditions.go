package fairhttp

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// conditions is an exchange as the conditions of rules see it: a
// [rule.Request].
type conditions exchange

func (c *conditions) Method() string { return c.call.Method }
func (c *conditions) Key() string    { return c.call.Key }
func (c *conditions) Caller() string { return c.transport.mesh.Caller() }

// Path is that which the server sees, which is never empty.
func (c *conditions) Path() string { return cmp.Or(c.request.URL.Path, "/") }

func (c *conditions) Header(h rule.Header) (string, bool) {
	values := valuesOf(c.request.Header, h.Canonical)
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func (c *conditions) Query(name string) (string, bool) {
	return parameter(c.request.URL.RawQuery, name)
}

// Baggage reads what the call goes out with: the caller's own header, before
// that of the context.
func (c *conditions) Baggage(name string) (string, bool) {
	if own := valuesOf(c.request.Header, "Baggage"); len(own) > 0 {
		if c.carried == nil { // read once for all conditions
			c.carried = transport.WithBaggage(context.Background(), own...)
		}
		return transport.BaggageOf(c.carried, name)
	}
	return transport.BaggageOf(c.request.Context(), name)
}

// valuesOf returns those of a header, also of one whose name the caller wrote in
// another case: servers do not tell them apart.
func valuesOf(h http.Header, canonical string) []string {
	if values, ok := h[canonical]; ok {
		return values
	}
	for name, values := range h {
		if len(name) == len(canonical) && strings.EqualFold(name, canonical) {
			return values
		}
	}
	return nil
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
