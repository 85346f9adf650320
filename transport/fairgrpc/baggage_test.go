package fairgrpc_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// The baggage of the context goes out with unary calls and streams, with and
// without interceptors, unless the caller has set another; and servers have in
// their context what the call says.
func TestBaggageGoesFromContextToContext(t *testing.T) {
	for _, c := range []struct {
		name, carry string
		metadata    []string
		sent        []string
		lane        string
	}{
		{"None", "", nil, nil, ""},
		{"OfTheContext", "lane=two%20sheep", nil, []string{"lane=two%20sheep"}, "two sheep"},
		{"TheCallersWins", "lane=blue", []string{"Baggage", "lane=red"}, []string{"lane=red"}, "red"},
		{"TheCallersOfSeveral", "lane=blue", []string{"baggage", "a=b", "baggage", "lane=red"}, []string{"a=b", "lane=red"}, "red"},
		{"Malformed", "", []string{"baggage", "=;,%%"}, []string{"=;,%%"}, ""},
		{"Huge", "", []string{"baggage", "lane=blue" + strings.Repeat(",a=b", 3000)}, []string{"lane=blue" + strings.Repeat(",a=b", 3000)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "v1", fairgrpc.ServerOptions()...)
			type arrived struct {
				sent []string
				lane string
			}
			all := make(chan arrived, 1)
			arrive := func(ctx context.Context) {
				lane, _ := transport.BaggageOf(ctx, "lane")
				all <- arrived{incoming(ctx, "baggage"), lane}
			}
			b.unary = func(ctx context.Context, _, _ string) (string, error) { arrive(ctx); return "", nil }
			b.stream = func(_ string, s grpc.ServerStream) error {
				arrive(s.Context())
				return s.SendMsg(wrapperspb.String(""))
			}
			w := newWorld(t)
			w.announce(b)
			for name, call := range ways(w) {
				own := metadata.Pairs(c.metadata...)
				ctx := metadata.NewOutgoingContext(carrying(t, within(t), c.carry), own)
				if _, err := call(ctx); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := <-all; !slices.Equal(got.sent, c.sent) || got.lane != c.lane {
					t.Errorf("%s: the server saw %.80q and lane %q, want %.80q and %q", name, got.sent, got.lane, c.sent, c.lane)
				}
				if len(own["baggage"]) != len(c.metadata)/2 {
					t.Errorf("%s: the caller's metadata is %v now", name, own)
				}
			}
		})
	}
}

// A lane goes along from HTTP to gRPC to HTTP, and where it has no instance the
// base stands in, which keeps nobody from the lane after that.
func TestLaneOverBothDoors(t *testing.T) {
	registry, rules := new(discovery.Memory), new(fairleadtest.Rulebook)
	for _, service := range []string{"shop", "orders", "stock"} {
		rules.Put(rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
			Service: service, Lane: &rule.Lane{Label: "lane", Key: "baggage:lane"},
		}})
	}
	w := &world{tb: t, registry: registry, mesh: newMesh(t, registry, transport.WithRules(rules))}
	client := &http.Client{Transport: fairhttp.New(w.mesh, nil)}
	conn := w.dial()

	// next calls a service over HTTP, and says who answered.
	next := func(ctx context.Context, service string) string {
		req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://"+service+"/", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	serve := func(service, lane string, then func(context.Context) string) {
		srv := httptest.NewServer(fairhttp.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, service+lane+" "+then(r.Context()))
		})))
		t.Cleanup(srv.Close)
		i := discovery.Addrs(service, srv.Listener.Addr().String())[0]
		if lane != "" {
			i.Meta = map[string]string{"lane": lane}
		}
		w.register(i)
	}
	toOrders := func(ctx context.Context) string {
		out, err := call(ctx, conn, get, "")
		if err != nil {
			t.Error(err)
		}
		return out
	}
	nobody := func(context.Context) string { return "" }
	serve("shop", "", toOrders)
	serve("shop", "blue", toOrders)
	serve("stock", "", nobody)
	serve("stock", "blue", nobody)
	serve("stock", "green", nobody)
	b := start(t, "orders", fairgrpc.ServerOptions()...)
	b.unary = func(ctx context.Context, _, _ string) (string, error) { return "orders " + next(ctx, "stock"), nil }
	w.announce(b)

	next(t.Context(), "shop") // so that all of them are called once
	eventually(t, "all rules are known", func() bool {
		known := 0
		for _, s := range w.mesh.Dump().Services {
			if s.Rules.Revision > 0 {
				known++
			}
		}
		return known == 3
	})
	for _, c := range []struct{ name, baggage, want string }{
		{"NoLane", "", "shop orders stock "},
		{"Blue", "lane=blue", "shopblue orders stockblue "},
		{"Green", "lane=green", "shop orders stockgreen "},
		{"OneThatNobodyHas", "lane=red", "shop orders stock "},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 5 {
				if got := next(carrying(t, t.Context(), c.baggage), "shop"); got != c.want {
					t.Errorf("the call went to %q, want %q", got, c.want)
				}
			}
		})
	}
	client.CloseIdleConnections()
}
