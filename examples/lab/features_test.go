package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// arms plays a scenario for the default policy, without a feature and with it.
func arms(t *testing.T, name, feature string, seed uint64) (without, with *sim.Result, f scenario.Feature) {
	t.Helper()
	planned(t, name)
	all := scenario.All()
	features := all[slices.IndexFunc(all, func(s scenario.Scenario) bool { return s.Name == name })].Features
	i := slices.IndexFunc(features, func(f scenario.Feature) bool { return f.Name == feature })
	if i < 0 {
		t.Fatalf("%s has no feature %q", name, feature)
	}
	f = features[i]
	var both [2]*sim.Result
	for k, plan := range []sim.Plan{f.Without, f.With} {
		r, err := sim.Run(plan, sim.Subject{Policy: balancer.P2CEWMA{}}, seed)
		if err != nil {
			t.Fatal(err)
		}
		both[k] = r
	}
	return both[0], both[1], f
}

func recovered(r *sim.Result, f scenario.Feature) time.Duration {
	if after, ok := r.Recovered(f.Trouble.From, f.Trouble.Until); ok {
		return after
	}
	return time.Hour
}

// What features promise. docs/lab.md has more of it.
func TestFeatures(t *testing.T) {
	for _, feature := range []string{"hedge", "hedge, of which servers stop the loser"} {
		t.Run("a tail that is nobody's fault, "+feature, func(t *testing.T) {
			for seed := uint64(1); seed <= 3; seed++ {
				without, with, _ := arms(t, "bimodal", feature, seed)
				slow, fast := without.Latency.Quantile(0.999), with.Latency.Quantile(0.999)
				more := with.ExecutionsPerCall()/without.ExecutionsPerCall() - 1
				t.Logf("seed %d: p99.9 falls from %v to %v, for %.1f %% more executions", seed, slow, fast, 100*more)
				if slow < 3*fast || more > 0.06 {
					t.Errorf("want a third of it, for 6 %% at most")
				}
			}
		})
	}
	t.Run("three hops stay within their budgets", func(t *testing.T) {
		without, with, f := arms(t, "retry-storm", "budget in each of three hops", 1)
		if without.Amplification() < 20 {
			t.Errorf("without budgets only %.1f attempts come to the last hop for each call", without.Amplification())
		}
		budgets, seconds, calls := 4.0, f.With.Length.Seconds(), float64(with.Calls)
		most, reserved := 1.0, 1.0
		for hop, n := range with.Hops {
			formula := 1.2 + 10*budgets*seconds/calls
			most *= formula
			reserved *= formula + 100*budgets/calls
			got := float64(n.Attempts) / calls
			t.Logf("hop %d: %.3f attempts to a call of the hop before; the formula has %.3f", hop, got, formula)
			if got > formula+100*budgets/calls {
				t.Errorf("that is more, also with the reserve")
			}
			calls = float64(n.Attempts)
		}
		t.Logf("in all %.3f, without budgets %.3f; the formula has %.3f, with reserves %.3f", with.Amplification(), without.Amplification(), most, reserved)
		if with.Amplification() > reserved {
			t.Errorf("that is more")
		}
	})
	t.Run("an outage is over when it is", func(t *testing.T) {
		_, with, f := arms(t, "outage", "budget", 1)
		if after := recovered(with, f); after > 5*time.Second {
			t.Errorf("all is well after %v", after)
		}
	})
	t.Run("retries without a budget keep an overload alive", func(t *testing.T) {
		without, with, f := arms(t, "recovery", "budget", 1)
		if recovered(without, f) < time.Hour || recovered(with, f) == time.Hour {
			t.Errorf("without a budget all is well after %v, with one after %v", recovered(without, f), recovered(with, f))
		}
	})
	for _, feature := range []string{"servers that heed their callers", "servers that heed their callers, no budget", "limits at servers", "limits at servers, no budget"} {
		t.Run("an overload is over when it is, "+feature, func(t *testing.T) {
			without, with, f := arms(t, "recovery", feature, 1)
			if recovered(without, f) <= 5*time.Second || recovered(with, f) > 5*time.Second {
				t.Errorf("all is well after %v, and %v with it", recovered(without, f), recovered(with, f))
			}
		})
	}
	t.Run("who is slow is not waited for", func(t *testing.T) {
		without, with, _ := arms(t, "gray", "retry on timeout", 1)
		if without.Errors < 2*with.Errors {
			t.Errorf("%d calls fail, and %d with it", without.Errors, with.Errors)
		}
	})
}

func TestFeaturesAreShown(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it plays half a million calls")
	}
	svg, html := filepath.Join(t.TempDir(), "svg"), filepath.Join(t.TempDir(), "lab.html")
	out := lab(t, "-scenario bimodal -policy p2c-ewma,p2c-oracle -seeds 2 -json -svg "+svg+" -html "+html)
	for _, want := range []string{"bimodal, without and with: hedge\n", "executions", "±"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q", want)
		}
	}
	all := last(t, out)
	if len(all.Features) != 8 || all.Features[0]["with"] != false || all.Features[2]["with"] != true {
		t.Errorf("there are %d arms: %v", len(all.Features), all.Features)
	}
	for _, file := range []string{filepath.Join(svg, "bimodal-features.svg"), html} {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "without in grey") || strings.Contains(string(text), "NaN") || strings.Contains(string(text), "Inf") {
			t.Errorf("%s is not whole: %v", file, err)
		}
	}
}
