package fairgrpc_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// carrying returns a context with baggage.
func carrying(tb testing.TB, ctx context.Context, header string) context.Context {
	tb.Helper()
	b, err := baggage.Parse(header)
	if err != nil {
		tb.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, b)
}

// What a rule asks for decides between v2, if the call has it, and v1; of unary
// calls and streams, and with no interceptors.
func TestConditions(t *testing.T) {
	tier := rule.Match{Headers: map[string]rule.Text{"X-Tier": {Exact: "gold"}}}
	bag := rule.Match{Baggage: map[string]rule.Text{"tier": {Exact: "gold one"}}}
	for _, c := range []struct {
		name     string
		match    rule.Match
		metadata []string
		baggage  string
		opts     []transport.Option
		want     string
	}{
		{name: "Method", match: rule.Match{Method: "POST"}, want: "v2"},
		{name: "OtherMethod", match: rule.Match{Method: "GET"}, want: "v1"},
		{name: "Path", match: rule.Match{Path: &rule.Text{Regex: "/fairlead[.]test[.]Orders/(Get|Chat)"}}, want: "v2"},
		{name: "OtherPath", match: rule.Match{Path: &rule.Text{Prefix: "/fairlead.test.Users/"}}, want: "v1"},
		{name: "Metadata", match: tier, metadata: []string{"x-tier", "gold"}, want: "v2"},
		{name: "MetadataInOddCase", match: tier, metadata: []string{"X-TIER", "gold"}, want: "v2"},
		{name: "OtherMetadata", match: tier, metadata: []string{"x-tier", "silver"}, want: "v1"},
		{name: "Query", match: rule.Match{Query: map[string]rule.Text{"tier": {Present: true}}}, want: "v1"},
		{name: "Caller", match: rule.Match{Caller: &rule.Text{Exact: "shop"}}, opts: []transport.Option{transport.WithCaller("shop")}, want: "v2"},
		{name: "NoCaller", match: rule.Match{Caller: &rule.Text{Exact: "shop"}}, want: "v1"},
		{name: "Baggage", match: bag, baggage: "a=b,tier=gold%20one", want: "v2"},
		{name: "OtherBaggage", match: bag, baggage: "tier=silver", want: "v1"},
		{name: "BaggageAsMetadata", match: bag, metadata: []string{"baggage", "tier=gold%20one"}, want: "v2"},
		{name: "BaggageAsMetadataWins", match: bag, metadata: []string{"Baggage", "tier=silver"}, baggage: "tier=gold%20one", want: "v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ruled(t, policy(to("v2", c.match), to("v1")), two(t), c.opts...)
			for name, call := range ways(w) {
				ctx := metadata.AppendToOutgoingContext(carrying(t, within(t), c.baggage), c.metadata...)
				if got, err := call(ctx); got != c.want {
					t.Errorf("%s: the call went to %q, want %s: %v", name, got, c.want, err)
				}
			}
		})
	}
}

// The caller is the first service that the process registers.
func TestConditionCallerIsRegistered(t *testing.T) {
	w := ruled(t, policy(to("v2", rule.Match{Caller: &rule.Text{Exact: "shop"}}), to("v1")), two(t))
	for _, name := range []string{"shop", "users"} {
		if _, err := w.mesh.Register(t.Context(), discovery.Addrs(name, "127.0.0.1:1")[0]); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range ways(w) {
		if got, err := call(within(t)); got != "v2" {
			t.Errorf("%s: the call went to %q: %v", name, got, err)
		}
	}
}

// Calls about the same go the same way, whatever chance says.
func TestConditionKey(t *testing.T) {
	half := rule.Route{Name: "half", HashOn: "key", Strict: true, Route: []rule.Destination{{Subset: "v1", Weight: 50}, {Subset: "v2", Weight: 50}}}
	w := ruled(t, policy(half), two(t))
	all := ways(w)
	seen := map[string]bool{}
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		of := map[string]bool{}
		for name, call := range all {
			for range 5 {
				got, err := call(transport.WithCall(within(t), transport.Key(key)))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				of[got], seen[got] = true, true
			}
		}
		if len(of) != 1 {
			t.Errorf("calls about %s went to %v", key, of)
		}
	}
	if len(seen) != 2 {
		t.Errorf("all keys went to %v", seen)
	}
}
