package fairhttp_test

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// carrying returns a context with baggage.
func carrying(t testing.TB, header string) context.Context {
	t.Helper()
	b, err := baggage.Parse(header)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(t.Context(), b)
}

// What a rule asks for decides between v2, if the call has it, and v1.
func TestConditions(t *testing.T) {
	text := func(exact string) map[string]rule.Text { return map[string]rule.Text{"X-Tier": {Exact: exact}} }
	header := rule.Match{Headers: text("gold")}
	query := rule.Match{Query: map[string]rule.Text{"tier": {Exact: "gold one"}}}
	bag := rule.Match{Baggage: map[string]rule.Text{"tier": {Exact: "gold one"}}}
	for _, c := range []struct {
		name        string
		match       rule.Match
		method, url string
		header      http.Header
		baggage     string
		want        string
	}{
		{name: "Method", match: rule.Match{Method: "DELETE"}, method: "DELETE", want: "v2"},
		{name: "MethodEmptyIsGet", match: rule.Match{Method: "GET"}, method: "", want: "v2"},
		{name: "OtherMethod", match: rule.Match{Method: "DELETE"}, method: "PUT", want: "v1"},
		{name: "Path", match: rule.Match{Path: &rule.Text{Prefix: "/a/b"}}, url: "/a/b/c?d=e", want: "v2"},
		{name: "PathEscaped", match: rule.Match{Path: &rule.Text{Exact: "/a b"}}, url: "/a%20b", want: "v2"},
		{name: "PathEmptyIsRoot", match: rule.Match{Path: &rule.Text{Exact: "/"}}, url: "", want: "v2"},
		{name: "OtherPath", match: rule.Match{Path: &rule.Text{Prefix: "/a/b"}}, url: "/a", want: "v1"},
		{name: "Header", match: header, header: http.Header{"X-Tier": {"gold"}}, want: "v2"},
		{name: "HeaderInLowerCase", match: header, header: http.Header{"x-tier": {"gold"}}, want: "v2"},
		{name: "RuleInOddCase", match: rule.Match{Headers: map[string]rule.Text{"x-TIER": {Exact: "gold"}}}, header: http.Header{"X-Tier": {"gold"}}, want: "v2"},
		{name: "HeaderPresent", match: rule.Match{Headers: map[string]rule.Text{"X-Tier": {Present: true}}}, header: http.Header{"X-Tier": {""}}, want: "v2"},
		{name: "OtherHeader", match: header, header: http.Header{"X-Tier": {"silver"}, "X-Tie": {"gold"}}, want: "v1"},
		{name: "NoHeaders", match: header, want: "v1"},
		{name: "Query", match: query, url: "/?a=b&tier=gold+one&tier=c", want: "v2"},
		{name: "OtherQuery", match: query, url: "/?tier=gold", want: "v1"},
		{name: "Baggage", match: bag, baggage: "a=b,tier=gold%20one", want: "v2"},
		{name: "OtherBaggage", match: bag, baggage: "tier=silver", want: "v1"},
		{name: "BaggageAsAHeader", match: bag, header: http.Header{"Baggage": {"a=b", "tier=gold%20one"}}, want: "v2"},
		{name: "BaggageAsAHeaderWins", match: bag, header: http.Header{"baggage": {"tier=silver"}}, baggage: "tier=gold%20one", want: "v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			orders := ruled(t, policy(to("v2", c.match), to("v1")), two(t))
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			req, err := http.NewRequestWithContext(carrying(t, c.baggage), c.method, "mesh://orders"+c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Method, req.Header = c.method, c.header
			if got := send(t, client, req); got != c.want {
				t.Errorf("the call went to %s, want %s", got, c.want)
			}
		})
	}
}

// The caller is who code says, or the first service that the process registers.
func TestConditionCaller(t *testing.T) {
	for _, c := range []struct {
		name      string
		opts      []transport.Option
		registers []string
		want      string
	}{
		{"Option", []transport.Option{transport.WithCaller("shop")}, nil, "v2"},
		{"OptionBeforeRegistration", []transport.Option{transport.WithCaller("shop")}, []string{"users"}, "v2"},
		{"FirstRegistration", nil, []string{"shop", "users"}, "v2"},
		{"OtherRegistration", nil, []string{"users", "shop"}, "v1"},
		{"Nobody", nil, nil, "v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			orders := ruled(t, policy(to("v2", rule.Match{Caller: &rule.Text{Exact: "shop"}}), to("v1")), two(t), c.opts...)
			for _, name := range c.registers {
				if _, err := orders.mesh.Register(t.Context(), discovery.Addrs(name, "127.0.0.1:1")[0]); err != nil {
					t.Fatal(err)
				}
			}
			client, _ := orders.client(t, fairhttp.Config{}, nil)
			if _, got := fetch(t, client, "GET", "mesh://orders/", ""); got != c.want {
				t.Errorf("the call went to %s, want %s", got, c.want)
			}
		})
	}
}

// Calls about the same go the same way, whatever chance says.
func TestConditionKey(t *testing.T) {
	half := rule.Route{Name: "half", HashOn: "key", Route: []rule.Destination{{Subset: "v1", Weight: 50}, {Subset: "v2", Weight: 50}}}
	orders := ruled(t, policy(half), two(t))
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	seen := map[string]bool{}
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		of := map[string]bool{}
		for range 10 {
			ctx := transport.WithCall(t.Context(), transport.Key(key))
			req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
			of[send(t, client, req)] = true
		}
		if len(of) != 1 {
			t.Errorf("calls about %s went to %v", key, of)
		}
		for version := range of {
			seen[version] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("all keys went to %v", seen)
	}
}
