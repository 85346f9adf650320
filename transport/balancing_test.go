package transport_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// What a document says of balancing holds, live; what it does not say is as code
// says; and who is ejected stays so under a change of anything else.
func TestRulesSayWhoMayBeChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("a", "b", "c", "d")
		m := obeying(t, g, ordersPolicy(), transport.WithBalancing(balancer.Balancing{
			Policy: new(fairleadtest.Picks), OutlierDetection: balancer.OutlierDetection{ConsecutiveFailures: 2},
		}))
		fail := func(n int) {
			t.Helper()
			for range 4 * n {
				_ = m.Do(t.Context(), put(), g.Door(m))
			}
			time.Sleep(200 * time.Millisecond)
		}
		put := func(change func(*rule.Spec)) {
			t.Helper()
			p := ordersPolicy()
			change(&p.Spec)
			g.Put(p)
			time.Sleep(200 * time.Millisecond)
		}
		away := func() (n int) {
			for _, i := range service(t, m).Instances {
				if i.Outage != nil {
					n++
				}
			}
			return n
		}
		g.Play("b", fairleadtest.Status(500))
		put(func(s *rule.Spec) { s.OutlierDetection = &rule.OutlierDetection{ConsecutiveFailures: 4} })
		fail(3)
		if n := away(); n != 0 {
			t.Errorf("%d passed over after three failures, the document says four", n)
		}
		fail(1)
		if n := away(); n != 1 {
			t.Errorf("%d passed over after four failures", n)
		}
		put(func(s *rule.Spec) { s.LoadBalancer.Algorithm = "least-request" })
		if n := away(); n != 1 {
			t.Errorf("%d passed over after a change of the algorithm", n)
		}
		if c := service(t, m).Choices["http"]; c.Policy != "" && c.Policy != "least-request" {
			t.Errorf("the choice is %+v", c)
		}
		put(func(s *rule.Spec) { s.OutlierDetection = &rule.OutlierDetection{Off: true} })
		if n := away(); n != 0 {
			t.Errorf("%d passed over although that is off", n)
		}
		put(func(*rule.Spec) {})
		fail(2)
		if n := away(); n != 1 {
			t.Errorf("%d passed over after two failures, as code says", n)
		}
	})
}

// What calls to the same instance have in common is the document's to say; a
// call without it keeps the key that code gave it.
func TestRulesSayWhatToHashOn(t *testing.T) {
	var keys []string
	policy := balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
		return picker(func(r balancer.Request) *balancer.Node { keys = append(keys, r.Key); return c.Nodes[0] })
	})
	p := ordersPolicy()
	p.Spec.LoadBalancer.HashOn = "cookie:sid"
	g := versions("a")
	m := obeying(t, g, p, transport.WithPolicy(policy))
	keys = nil
	for _, tt := range []struct{ cookie, key, want string }{
		{"sid=7; theme=dark", "", "7"},
		{`theme=dark;sid="8"`, "by-code", "8"},
		{"theme=dark", "by-code", "by-code"},
		{"", "", ""},
	} {
		c := get()
		c.Key = tt.key
		c.Request = &seen{header: map[string]string{"cookie": tt.cookie}}
		if err := m.Do(t.Context(), c, g.Door(m)); err != nil {
			t.Fatal(err)
		}
		if got := keys[len(keys)-1]; got != tt.want {
			t.Errorf("cookie %q, key %q: hashed on %q, want %q", tt.cookie, tt.key, got, tt.want)
		}
	}
}

type picker func(balancer.Request) *balancer.Node

func (p picker) Pick(r balancer.Request) *balancer.Node { return p(r) }
