package fairgrpc_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
)

// What each kind of rule adds to a governed call, in allocations.
func TestAllocationsOfRules(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	tier := map[string]rule.Text{"X-Tier": {Exact: "gold"}}
	for _, c := range []struct {
		name string
		rule rule.Policy
		most float64
	}{
		{"NoneThatMatches", policy(to("v2", rule.Match{Path: &rule.Text{Exact: "/nowhere"}})), 0},
		{"Route", policy(to("v2", rule.Match{Headers: tier}, rule.Match{Query: tier}, rule.Match{Baggage: tier}), to("v1")), 0},
		{"Timeout", bounded(time.Hour), 15}, // as a deadline of the caller's: a header, and the timers of both sides
		{"RareFault", suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Millisecond), Percent: 1}}), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := silent(t, "v1")
			w := ruled(t, c.rule, []*backend{b})
			conn := w.dial()
			warm(t, conn, b)
			bare, obeying := allocations(t, governed(t, b)), allocations(t, conn)
			t.Logf("%.1f added to %.1f", obeying-bare, bare)
			if obeying-bare > c.most {
				t.Errorf("the rule adds %.1f allocations to %.1f, %.0f are allowed", obeying-bare, bare, c.most)
			}
		})
	}
}
