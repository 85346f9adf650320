package transport_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// checked is a mesh whose instances are probed as rules say.
type checked struct {
	governed
	*transport.Mesh
	*ward
	log logged
}

func newChecked(t *testing.T, code balancer.HealthCheck) *checked {
	c := &checked{governed: versions("a", "b", "c"), ward: new(ward)}
	c.Mesh = obeying(t, c.governed, ordersPolicy(), c.log.option(), transport.WithHealthCheck(code, c.ward))
	return c
}

// says puts a document in force and gives it a while.
func (c *checked) says(h *rule.HealthCheck, while time.Duration) {
	p := ordersPolicy()
	p.Spec.HealthCheck = h
	c.Put(p)
	time.Sleep(while)
}

// away is who is passed over.
func (c *checked) away(t *testing.T) (ids string) {
	t.Helper()
	for _, i := range service(t, c.Mesh).Instances {
		if i.Outage != nil {
			ids += i.ID
		}
	}
	return ids
}

// A document changes how often instances are probed, and what that makes of
// them; verdicts stay.
func TestRulesSayHowInstancesAreProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t, balancer.HealthCheck{Fall: 2, Rise: 3})
		c.set("b")
		time.Sleep(15 * time.Second)
		if got := c.away(t); got != "b" {
			t.Fatalf("%q are passed over", got)
		}
		c.set()
		c.says(&rule.HealthCheck{Interval: rule.Duration(time.Minute), Timeout: rule.Duration(2 * time.Second), HealthyThreshold: 2}, time.Second)
		h := service(t, c.Mesh).Health
		if got := c.away(t); got != "b" || unwell(t, c.Mesh) != "b" || h.Off || h.Interval != time.Minute || h.Timeout != 2*time.Second || h.UnhealthyThreshold != 2 || h.HealthyThreshold != 2 {
			t.Errorf("%q are passed over under a new document, health is %+v", got, h)
		}
		before := h.Probes.Passed + h.Probes.Failed
		time.Sleep(10 * time.Minute)
		h = service(t, c.Mesh).Health
		if probes := h.Probes.Passed + h.Probes.Failed - before; probes < 26 || probes > 36 || c.away(t) != "" {
			t.Errorf("%d probes of three instances in ten minutes, %q are passed over", probes, c.away(t))
		}
		c.says(nil, time.Second)
		if h := service(t, c.Mesh).Health; h.Interval != 10*time.Second || h.Timeout != time.Second || h.HealthyThreshold != 3 {
			t.Errorf("without a word of the document, health is %+v", h)
		}
	})
}

// Checks that a document switches off hold nobody away, and begin anew when they
// are on again. Code can leave it to documents to switch them on.
func TestRulesSwitchHealthChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t, balancer.HealthCheck{Off: true})
		c.set("b")
		shows := func(what string, off bool, away string) {
			t.Helper()
			before := service(t, c.Mesh).Health.Probes
			time.Sleep(15 * time.Second)
			h := service(t, c.Mesh).Health
			if got := c.away(t); h.Off != off || (h.Probes == before) != off || got != away || unwell(t, c.Mesh) != away {
				t.Errorf("%s: %q are passed over, health is %+v, probes were %+v", what, got, h, before)
			}
		}
		settings := func(off ...string) {
			c.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: off}}})
			time.Sleep(2 * time.Second)
		}
		shows("off in code", true, "")
		c.says(&rule.HealthCheck{}, 2*time.Second)
		shows("on in a document", false, "b")
		c.says(&rule.HealthCheck{Off: true}, 2*time.Second)
		shows("off in a document", true, "")
		c.says(&rule.HealthCheck{Interval: rule.Duration(5 * time.Second)}, 2*time.Second)
		shows("on again", false, "b")
		settings("healthCheck")
		shows("switched off for all", true, "")
		settings("mirror")
		shows("and no more", false, "b")
		if c.log.lines("rules ask for what") != 0 {
			t.Errorf("logged: %s", c.log.text.String())
		}
	})
}

// What a document asks for and only code can give shows, and is said once.
func TestRulesThatAreNotHeeded(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []transport.Option
		says    func(*rule.Spec)
		want    int // fields
	}{
		{"nothing", nil, func(*rule.Spec) {}, 0},
		{"checks without a prober", nil, func(s *rule.Spec) { s.HealthCheck = new(rule.HealthCheck) }, 1},
		{"no checks without a prober", nil, func(s *rule.Spec) { s.HealthCheck = &rule.HealthCheck{Off: true} }, 0},
		{"checks with one", []transport.Option{transport.WithHealthCheck(balancer.HealthCheck{}, new(ward))}, func(s *rule.Spec) { s.HealthCheck = new(rule.HealthCheck) }, 0},
		{"a zone without a place", nil, func(s *rule.Spec) { s.LoadBalancer.LocalityPreference = "zone" }, 1},
		{"a zone with one", []transport.Option{transport.WithLocality("", "near")}, func(s *rule.Spec) { s.LoadBalancer.LocalityPreference = "zone" }, 0},
		{"a zone with a region", []transport.Option{transport.WithLocality("eu", "")}, func(s *rule.Spec) { s.LoadBalancer.LocalityPreference = "zone" }, 0},
		{"a region with a zone", []transport.Option{transport.WithLocality("", "near")}, func(s *rule.Spec) { s.LoadBalancer.LocalityPreference = "region" }, 1},
		{"no place without one", nil, func(s *rule.Spec) { s.LoadBalancer.LocalityPreference = "none" }, 0},
		{"keys and a zone and a subset", []transport.Option{transport.WithLocality("eu", "near")}, func(s *rule.Spec) {
			s.LoadBalancer = rule.LoadBalancer{Algorithm: "maglev", LocalityPreference: "zone", SubsetSize: 10}
		}, 2},
		{"keys and no subset", nil, func(s *rule.Spec) { s.LoadBalancer = rule.LoadBalancer{Algorithm: "maglev", SubsetSize: -1} }, 0},
		{"both", nil, func(s *rule.Spec) {
			s.HealthCheck, s.LoadBalancer.LocalityPreference = new(rule.HealthCheck), "region"
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				g := versions("a")
				p := ordersPolicy()
				tt.says(&p.Spec)
				m := obeying(t, g, p, append(tt.options, log.option())...)
				g.Put(p) // once more
				settled()
				r := service(t, m).Rules
				if len(r.Unheeded) != tt.want || log.lines("rules ask for what this process cannot do") != min(1, tt.want) {
					t.Errorf("unheeded are %q, logged: %s", r.Unheeded, log.text.String())
				}
				g.Put(ordersPolicy())
				settled()
				if r := service(t, m).Rules; r.Unheeded != nil {
					t.Errorf("unheeded of nothing are %q", r.Unheeded)
				}
			})
		})
	}
}

// A verdict that was on its way when checks were switched off holds nobody away.
func TestVerdictThatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t, balancer.HealthCheck{})
		c.says(&rule.HealthCheck{Off: true}, 2*time.Second)
		transport.FailCheck(c.Mesh, "orders", "b", errors.New("ill"))
		if got := unwell(t, c.Mesh); got != "" {
			t.Errorf("unwell are %q", got)
		}
	})
}
