package fairhttp_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// ruled returns a service whose calls go by a policy, with an instance at each
// server: the first is of version v1, named so, the second of v2.
func ruled(t testing.TB, p rule.Policy, servers []*server, opts ...transport.Option) *service {
	t.Helper()
	rules := new(fairleadtest.Rulebook)
	rules.Put(p)
	s := newServiceWith(t, append(opts, transport.WithRules(rules)))
	for n, at := range servers {
		version := []string{"v1", "v2"}[n]
		if _, err := s.Register(t.Context(), discovery.Instance{ID: version, Service: "orders", Version: version, Addr: at.addr()}); err != nil {
			t.Fatal(err)
		}
	}
	s.obeys(t, len(servers))
	return s
}

// obeys waits until the mesh knows the rules and n instances of orders.
func (s *service) obeys(t testing.TB, n int) {
	t.Helper()
	views, err := s.mesh.Views(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for range views {
		break
	}
	until(t, "rules and instances are known", func() bool {
		d := s.mesh.Dump().Services[0]
		return d.Rules.Revision > 0 && len(d.Instances) == n
	})
}

// rules returns what the mesh shows of the rules of orders.
func (s *service) rules() transport.RulesDump { return *s.mesh.Dump().Services[0].Rules }

// policy has the subsets v1 and v2.
func policy(routes ...rule.Route) rule.Policy {
	return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{
		Service: "orders",
		Subsets: []rule.Subset{{Name: "v1", Labels: map[string]string{"version": "v1"}}, {Name: "v2", Labels: map[string]string{"version": "v2"}}},
		Routes:  routes,
	}}
}

// to is a route of some calls to one subset.
func to(subset string, match ...rule.Match) rule.Route {
	return rule.Route{Name: "to-" + subset, Match: match, Route: []rule.Destination{{Subset: subset, Weight: 100}}}
}

// two starts a server that says v1 and one that says v2.
func two(t testing.TB) []*server {
	return []*server{serve(t, say("v1")), serve(t, say("v2"))}
}

// send makes a request as it is, and returns the body of the answer.
func send(t testing.TB, c *http.Client, req *http.Request) string {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
