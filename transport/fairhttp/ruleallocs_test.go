package fairhttp_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// What each kind of rule adds to a governed call, in allocations.
func TestAllocationsOfRules(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and sync.Pool forgets under it")
	}
	tier := map[string]rule.Text{"X-Tier": {Exact: "gold"}}
	for _, c := range []struct {
		name string
		rule rule.Policy
		most float64
	}{
		{"NoneThatMatches", policy(to("v2", rule.Match{Path: &rule.Text{Exact: "/nowhere"}})), 0},
		{"Route", policy(to("v2", rule.Match{Headers: tier}, rule.Match{Query: tier}, rule.Match{Baggage: tier}), to("v1")), 0},
		{"Timeout", bounded(time.Hour), 7}, // a context with a timer, and its parent's note of it
		{"RareFault", suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Millisecond), Percent: 1}}), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, say("hello"))
			without := newService(t, s.addr())
			with := ruled(t, c.rule, []*server{s})
			var bare, obeying []float64
			wire := &http.Transport{MaxIdleConnsPerHost: 16}
			_, one := without.client(t, fairhttp.Config{}, wire)
			_, two := with.client(t, fairhttp.Config{}, wire.Clone())
			for range 5 {
				bare = append(bare, allocsPerCall(t, one, "GET", []string{"mesh://orders/"}))
				obeying = append(obeying, allocsPerCall(t, two, "GET", []string{"mesh://orders/"}))
			}
			added := slices.Min(obeying) - slices.Min(bare)
			t.Logf("%.2f added to %.2f", added, slices.Min(bare))
			if added > c.most+0.7 {
				t.Errorf("the rule adds %.2f allocations (%.2f, without %.2f), %.0f are allowed", added, obeying, bare, c.most)
			}
		})
	}
}
