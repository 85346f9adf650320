package fairhttp_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// The baggage of the context goes out with the call, unless the caller has set
// another; its headers stay as they are.
func TestBaggageGoesOut(t *testing.T) {
	for _, c := range []struct {
		name   string
		carry  string
		header http.Header
		want   []string
	}{
		{"None", "", nil, nil},
		{"OfTheContext", "lane=blue", nil, []string{"lane=blue"}},
		{"WithProperties", "lane=blue;ttl=3", http.Header{"X-Tier": {"gold"}}, []string{"lane=blue;ttl=3"}},
		{"EncodedValue", "lane=two%20sheep", http.Header{}, []string{"lane=two%20sheep"}},
		{"TheCallersWins", "lane=blue", http.Header{"Baggage": {"lane=red"}}, []string{"lane=red"}},
		{"TheCallersInLowerCaseWins", "lane=blue", http.Header{"baggage": {"lane=red"}}, []string{"lane=red"}},
	} {
		for _, w := range wires(t) {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				first, calls := receiving(t, w.server)
				orders := newService(t, first.addr())
				client, _ := orders.client(t, w.client, nil)
				req, _ := http.NewRequestWithContext(carrying(t, c.carry), "GET", "mesh://orders/", nil)
				req.Header = maps.Clone(c.header)
				send(t, client, req)
				if got := (<-calls).header["Baggage"]; !slices.Equal(got, c.want) {
					t.Errorf("the server saw baggage %q, want %q", got, c.want)
				}
				if fmt.Sprint(req.Header) != fmt.Sprint(c.header) {
					t.Errorf("the caller's headers are %v now", req.Header)
				}
			})
		}
	}
}

// What is no ASCII in a context does not make the request a bad one.
func TestBaggageOfAnyText(t *testing.T) {
	member, err := baggage.NewMemberRaw("bahn", "Zürich, 3\r\nX-Evil: 1")
	if err != nil {
		t.Fatal(err)
	}
	odd, err := baggage.NewMemberRaw("Straße", "x")
	if err != nil {
		t.Fatal(err)
	}
	b, err := baggage.New(member, odd)
	if err != nil {
		t.Fatal(err)
	}
	first, calls := receiving(t)
	orders := newService(t, first.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	req, _ := http.NewRequestWithContext(baggage.ContextWithBaggage(t.Context(), b), "GET", "mesh://orders/", nil)
	send(t, client, req)
	got := (<-calls).header
	if back, err := baggage.Parse(got.Get("Baggage")); err != nil || back.Member("bahn").Value() != "Zürich, 3\r\nX-Evil: 1" || got.Get("X-Evil") != "" {
		t.Errorf("the server saw %q: %v", got, err)
	}
}

// A handler has in its context what the request says; what is malformed or huge
// is passed over.
func TestHandler(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		want    string // of "lane"
	}{
		{"None", nil, ""},
		{"One", []string{"lane=blue"}, "blue"},
		{"Several", []string{"a=b", "c=d, lane=two%20sheep"}, "two sheep"},
		{"PartlyMalformed", []string{"lane=blue,=,b;a;;,%%%=%"}, "blue"},
		{"Malformed", []string{"\x00\xff=;,,,,"}, ""},
		{"Huge", []string{"lane=blue," + strings.Repeat("a=b,", 10_000)}, ""},
		{"HugeInParts", slices.Repeat([]string{"lane=" + strings.Repeat("x", 1000)}, 100), ""},
		{"ManyMembers", []string{"lane=blue" + manyMembers(200)}, "blue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			called := false
			h := fairhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				called = true
				if value, ok := transport.BaggageOf(r.Context(), "lane"); value != c.want || ok != (c.want != "") {
					t.Errorf("the lane is %q, want %q", value, c.want)
				}
			}))
			req := httptest.NewRequest("GET", "/", nil)
			if c.headers != nil {
				req.Header["Baggage"] = c.headers
			}
			before := slices.Clone(c.headers)
			h.ServeHTTP(httptest.NewRecorder(), req)
			if !called || !slices.Equal(req.Header["Baggage"], before) {
				t.Errorf("called: %t", called)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",k%d=v", i)
	}
	return b.String()
}
