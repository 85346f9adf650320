package rule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rule"
)

// A document full of the dearest patterns is refused before it costs anything,
// and one that is accepted costs little, to be read and to be tried.
func TestWhatPatternsMayCost(t *testing.T) {
	full := func(pattern string) rule.Policy {
		var routes []rule.Route
		for n := 0; n < rule.MaxConditions; n += 10 {
			var r rule.Route
			for range 10 {
				r.Match = append(r.Match, rule.Match{Path: regex(pattern)})
			}
			routes = append(routes, r)
		}
		return policy(routes...)
	}
	for _, pattern := range []string{
		strings.Repeat(`\pL`, 78), strings.Repeat(`\pL{100}`, 29), strings.Repeat(`(.?){100}`, 27) + "=", strings.Repeat(`[^\pL]`, 36),
		`(a|b|c|d){100}x`, `\pL+`, `((((a{9}){9}){9}b?)*)*`, strings.Repeat("(x?)", 60),
	} {
		start := time.Now()
		err := full(pattern).Validate()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("a document full of %.30q takes %s to be refused", pattern, took)
		}
		if err == nil || !strings.Contains(err.Error(), "steps") {
			t.Errorf("a document full of %.30q: %v", pattern, err)
		}
	}
	// As much as is allowed, on the longest text that patterns are tried on.
	p := policy()
	for range rule.MaxSteps / 230 {
		p.Spec.Routes = append(p.Spec.Routes, rule.Route{Match: []rule.Match{{Path: regex(strings.Repeat("(x?)", 56) + "=")}}})
	}
	table := compile(t, p)
	start := time.Now()
	if table.Route(&call{path: strings.Repeat("x", 1024)}) != nil {
		t.Error("it matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("one call takes %s", took)
	} else {
		t.Logf("the dearest document costs a call %s", took)
	}
}
