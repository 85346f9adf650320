package fairgrpc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// ruled returns a world whose calls go by a policy, with backends announced
// under their IDs as versions.
func ruled(tb testing.TB, p rule.Policy, backends []*backend, opts ...transport.Option) *world {
	tb.Helper()
	rules := new(fairleadtest.Rulebook)
	rules.Put(p)
	w := newWorld(tb, append(opts, transport.WithRules(rules))...)
	for _, b := range backends {
		w.register(discovery.Instance{ID: b.id, Service: "orders", Version: b.id, Addr: b.addr})
	}
	w.obeys(len(backends))
	return w
}

// obeys waits until the mesh knows the rules and n instances of orders.
func (w *world) obeys(n int) {
	w.tb.Helper()
	views, err := w.mesh.Views(context.Background(), "orders")
	if err != nil {
		w.tb.Fatal(err)
	}
	for range views {
		break
	}
	eventually(w.tb, "rules and instances are known", func() bool {
		d := w.mesh.Dump().Services[0]
		return d.Rules.Revision > 0 && len(d.Instances) == n
	})
}

// rules returns what the mesh shows of the rules of orders.
func (w *world) rules() transport.RulesDump { return *w.mesh.Dump().Services[0].Rules }

// policy has the subsets v1 and v2.
func policy(routes ...rule.Route) rule.Policy {
	return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "v1", Labels: map[string]string{"version": "v1"}}, {Name: "v2", Labels: map[string]string{"version": "v2"}}},
		Routes:  routes,
	}}
}

// to is a route of some calls to one subset and to no other.
func to(subset string, match ...rule.Match) rule.Route {
	return rule.Route{Name: "to-" + subset, Match: match, Strict: true, Route: []rule.Destination{{Subset: subset, Weight: 100}}}
}

// two starts backends v1 and v2, whose unary calls and streams answer with
// their names.
func two(tb testing.TB) []*backend {
	all := []*backend{start(tb, "v1"), start(tb, "v2")}
	for _, b := range all {
		b.unary = func(context.Context, string, string) (string, error) { return b.id, nil }
		b.stream = func(_ string, s grpc.ServerStream) error { return s.SendMsg(wrapperspb.String(b.id)) }
	}
	return all
}

// ways are all ways to make a call: each returns what the backend answered.
func ways(w *world) map[string]func(ctx context.Context) (string, error) {
	doors := map[string]*grpc.ClientConn{
		"":                    w.dial(),
		"WithoutInterceptors": dial(w.tb, "mesh:///orders", grpc.WithResolvers(fairgrpc.Resolver(w.mesh)), grpc.WithDisableRetry()),
	}
	all := map[string]func(context.Context) (string, error){}
	for name, conn := range doors {
		all["Unary"+name] = func(ctx context.Context) (string, error) { return call(ctx, conn, get, "") }
		all["Stream"+name] = func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			s, err := open(ctx, conn, chat)
			if err != nil {
				return "", err
			}
			out := new(wrapperspb.StringValue)
			err = s.RecvMsg(out)
			return out.Value, err
		}
	}
	return all
}
