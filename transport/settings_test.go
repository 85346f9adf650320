package transport_test

import (
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

func TestSwitches(t *testing.T) {
	g := versions("v1-a", "v1-b", "v2-a")
	g.Put(ordersPolicy(to("v2")))
	for _, c := range []struct {
		name     string
		spec     rule.SettingsSpec
		want     string
		attempts int
	}{
		{"None", rule.SettingsSpec{}, "v2-a", 3},
		{"RoutesOff", rule.SettingsSpec{Switches: rule.Switches{Off: []string{"routes"}}}, "v1-a v1-b v2-a", 3},
		{"SafeMode", rule.SettingsSpec{Services: map[string]rule.Switches{"orders": {SafeMode: true}}}, "v1-a v1-b v2-a", 3},
		{"SafeModeElsewhere", rule.SettingsSpec{Services: map[string]rule.Switches{"users": {SafeMode: true}}}, "v2-a", 3},
		{"RetriesOff", rule.SettingsSpec{Switches: rule.Switches{Off: []string{"retries"}}}, "v2-a", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			revision := g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: c.spec})
			m := knowing(t, newMesh(t, g))
			obeys(t, m)
			eventually(t, "the settings", func() bool { return m.Dump().Settings.Revision == revision })
			// The settings show a moment before the services go by them.
			eventually(t, "calls go to "+c.want, func() bool { return g.goesTo(t, m) == c.want })
			call := put()
			_ = m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Refused().Outcome }))
			if call.Attempts() != c.attempts {
				t.Errorf("%d attempts, want %d", call.Attempts(), c.attempts)
			}
		})
	}
}

// Settings that come while a service is called, bad ones, and their end.
func TestLifeOfSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		m := obeying(t, g, ordersPolicy(to("v2")))
		routed := func(want bool) {
			t.Helper()
			settled()
			if got := g.goesTo(t, m) == "v2-a"; got != want {
				t.Errorf("calls are routed: %t, want %t", got, want)
			}
		}
		routed(true)
		g.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{SafeMode: true}}})
		routed(false)
		g.PutText("", []byte(`{"kind":"Settings"}`))
		routed(false)
		if s := m.Dump().Settings; s.Refused == "" || !s.Spec.SafeMode {
			t.Errorf("bad settings show as %+v", s)
		}
		g.Put(ordersPolicy(to("v1"))) // of which nothing is left
		routed(false)
		g.Put(ordersPolicy(to("v2")))
		g.PutText("", nil)
		routed(true)
	})
}

// A store that was restored may give a revision a second time; and what is
// refused is counted.
func TestSettingsOfTheSameRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions("v1-a", "v2-a")
		m := obeying(t, g, ordersPolicy(to("v2")))
		settings := func(off string) rule.Settings {
			return rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind, Spec: rule.SettingsSpec{Switches: rule.Switches{Off: []string{off}}}}
		}
		g.PutSettings(settings("mirror"))
		settled()
		g.Rewind()
		g.PutSettings(settings("routes"))
		settled()
		if got := g.goesTo(t, m); got != "v1-a v2-a" {
			t.Errorf("calls go to %s: the settings are not in force", got)
		}
		for range 2 {
			g.PutText("", []byte("{}"))
			settled()
		}
		if s := m.Dump().Settings; s.Refusals != 2 || s.RefusedRevision != s.Revision+2 {
			t.Errorf("shown are %+v", s)
		}
	})
}
