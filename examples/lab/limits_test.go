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
	"github.com/fairlead-go/fairlead/ratelimit"
)

// trial plays all arms of a trial for the default policy, by their names.
func trial(t *testing.T, name, trial string) (map[string]*sim.Result, scenario.Trial) {
	t.Helper()
	planned(t, name)
	all := scenario.All()
	trials := all[slices.IndexFunc(all, func(s scenario.Scenario) bool { return s.Name == name })].Trials
	i := slices.IndexFunc(trials, func(one scenario.Trial) bool { return one.Name == trial })
	if i < 0 {
		t.Fatalf("%s has no trial %q", name, trial)
	}
	arms := map[string]*sim.Result{}
	for _, arm := range trials[i].Arms {
		r, err := sim.Run(arm.Plan, sim.Subject{Policy: balancer.P2CEWMA{}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		arms[arm.Name] = r
	}
	return arms, trials[i]
}

// normal is how long after the trouble all was as before it.
func normal(r *sim.Result, t scenario.Trial) time.Duration {
	if after, ok := r.Recovered(t.Trouble.From, t.Trouble.Until); ok {
		return after
	}
	return time.Hour
}

// What limits promise. docs/lab.md has more of it.
func TestLimits(t *testing.T) {
	const soon = 5 * time.Second
	t.Run("ten times the load leaves goodput at capacity", func(t *testing.T) {
		arms, trial := trial(t, "overload", "ten times what can be done")
		for _, arm := range []string{"server", "both"} {
			r := arms[arm]
			if g := r.Goodput(trial.Trouble.From, trial.Trouble.Until); g < 0.8 {
				t.Errorf("%s: goodput is %.3f", arm, g)
			}
			if after := normal(r, trial); after > soon {
				t.Errorf("%s: all is well after %v", arm, after)
			}
			if before, in := r.P99(0, trial.Trouble.From), r.P99(trial.Trouble.From, trial.Trouble.Until); in > 4*before {
				t.Errorf("%s: p99 is %v in it, %v before", arm, in, before)
			}
		}
		if r := arms["none"]; r.Goodput(trial.Trouble.From, trial.Trouble.Until) > 0.2 || normal(r, trial) <= soon {
			t.Errorf("without limits goodput is %.3f, and all is well after %v", r.Goodput(trial.Trouble.From, trial.Trouble.Until), normal(r, trial))
		}
		server, both := arms["server"], arms["both"]
		if both.AttemptsPerCall() > 0.5*server.AttemptsPerCall() {
			t.Errorf("clients with limits send %.2f of their calls, without %.2f", both.AttemptsPerCall(), server.AttemptsPerCall())
		}
	})
	t.Run("lost capacity is back when it is", func(t *testing.T) {
		arms, trial := trial(t, "recovery", "half of the servers ten times slower")
		for _, arm := range []string{"server", "both"} {
			// The default policy remembers for ten seconds who was slow.
			if after := normal(arms[arm], trial); after > 10*time.Second {
				t.Errorf("%s: all is well after %v", arm, after)
			}
		}
		if after := normal(arms["none"], trial); after < time.Hour {
			t.Errorf("without limits, too: after %v", after)
		}
	})
	for name, want := range map[string]struct{ ordinary, bulk [2]float64 }{
		"one and a half times what can be done": {ordinary: [2]float64{0.8, 1}, bulk: [2]float64{0.1, 0.5}},
		"ten times what can be done":            {ordinary: [2]float64{0.05, 0.15}, bulk: [2]float64{0, 0.02}},
	} {
		t.Run("what matters is served at "+name, func(t *testing.T) {
			arms, trial := trial(t, "priority", name)
			served := func(arm string, p ratelimit.Priority) float64 {
				e := arms[arm].Between(p, trial.Trouble.From, trial.Trouble.Until)
				return float64(e.Well) / float64(e.All())
			}
			for _, arm := range []string{"server", "both"} {
				critical, ordinary, bulk := served(arm, ratelimit.Critical), served(arm, ratelimit.Default), served(arm, ratelimit.Sheddable)
				t.Logf("%s: of critical calls %.4f are served, of others %.4f, of sheddable ones %.4f", arm, critical, ordinary, bulk)
				if critical < 0.99 || ordinary < want.ordinary[0] || ordinary > want.ordinary[1] || bulk < want.bulk[0] || bulk > want.bulk[1] {
					t.Errorf("want 0.99, %v, %v", want.ordinary, want.bulk)
				}
			}
			if critical := served("none", ratelimit.Critical); critical > 0.2 {
				t.Errorf("without limits %.4f of the critical calls are served", critical)
			}
		})
	}
}

// Clients that learn of each instance by themselves how many calls it can have, without
// any limit at servers.
func TestLimitsThatClientsLearn(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it plays two million calls")
	}
	kinds := map[string][]sim.Class{
		"alike": {{Name: "usual", Count: 6, Workers: 4}},
		"of three speeds": {
			{Name: "fast", Count: 2, Workers: 4, Condition: sim.Condition{Slow: 0.5}}, {Name: "usual", Count: 2, Workers: 4},
			{Name: "slow", Count: 2, Workers: 4, Condition: sim.Condition{Slow: 2}},
		},
	}
	for _, kind := range []string{"alike", "of three speeds"} {
		for _, clients := range []int{1, 10, 100} {
			p := sim.Plan{
				Length: 60 * time.Second, Warmup: 1, Clients: clients, Timeout: time.Second, Fleet: kinds[kind],
				Traffic: sim.Traffic{Load: 0.5, Steps: []sim.Step{{At: 10 * time.Second, Load: 2}}},
				Limits:  sim.Limits{Instance: &ratelimit.AdaptiveConfig{Min: 1, Initial: 4}},
			}
			r, err := sim.Run(p, sim.Subject{Policy: balancer.P2CEWMA{}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			from, until := 30*time.Second, 60*time.Second
			t.Logf("servers %s, %3d clients: goodput %.3f, p99 %v, as in the end after %v", kind, clients,
				r.Goodput(from, until), r.P99(from, until).Round(time.Millisecond), settled(r, 10*time.Second, from))
			if least := 0.8; r.Goodput(from, until) < least {
				t.Errorf("want %v", least)
			}
		}
	}
}

// Each client measures the queue of the others, too, and must not take it for how long
// calls take at the least.
func TestLimitsThatClientsLearnDoNotDrift(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it plays a million calls")
	}
	p := sim.Plan{
		Length: 300 * time.Second, Warmup: 1, Clients: 10, Timeout: 2 * time.Second, Traffic: sim.Traffic{Load: 2},
		Fleet: []sim.Class{{Name: "usual", Count: 3, Workers: 4}}, Limits: sim.Limits{Instance: &ratelimit.AdaptiveConfig{Min: 1, Initial: 4}},
	}
	r, err := sim.Run(p, sim.Subject{Policy: balancer.P2CEWMA{}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	first, last := r.P99(20*time.Second, 60*time.Second), r.P99(250*time.Second, p.Length)
	t.Logf("p99 is %v, after five minutes %v", first, last)
	if goodput := r.Goodput(20*time.Second, p.Length); last > 3*first/2 || goodput < 0.95 {
		t.Errorf("p99 is %v at first and %v after five minutes, goodput %.3f", first, last, goodput)
	}
}

// settled is how long after a moment goodput and p99 are as they are later on, within
// a tenth and one and a half times.
func settled(r *sim.Result, from, later time.Duration) time.Duration {
	end := time.Duration(len(r.Course)) * r.Period
	goodput, p99 := r.Goodput(later, end), r.P99(later, end)
	after := time.Duration(0)
	for at := from; at < end; at += r.Period {
		if r.Goodput(at, at+r.Period) < 0.9*goodput || float64(r.P99(at, at+r.Period)) > 1.5*float64(p99) {
			after = at + r.Period - from
		}
	}
	return after
}

func TestLimitsAreShown(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it plays two million calls")
	}
	svg, html := filepath.Join(t.TempDir(), "svg"), filepath.Join(t.TempDir(), "lab.html")
	out := lab(t, "-scenario priority -policy p2c-ewma,p2c-oracle -json -svg "+svg+" -html "+html)
	for _, want := range []string{"priority, ten times what can be done", "goodput", "sheddable", "never"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q", want)
		}
	}
	all := last(t, out)
	for _, row := range all.Rows {
		if classes, ok := row["classes"].([]any); !ok || len(classes) != 3 {
			t.Errorf("a row has the classes %v", row["classes"])
		}
		if len(row) != 14 {
			t.Errorf("a row has %d fields: %v", len(row), row)
		}
	}
	if len(all.Rows) != 2 || len(all.Limits) != 8 {
		t.Fatalf("there are %d rows and %d arms", len(all.Rows), len(all.Limits))
	}
	for i, arm := range []string{"none", "client", "server", "both"} {
		row := all.Limits[i]
		if row["arm"] != arm || row["trial"] != "one and a half times what can be done" || row["load"] != 1.5 || row["clients"] != 20.0 {
			t.Errorf("row %d is %v", i, row)
		}
		for _, field := range []string{"scenario", "policy", "p50_ms", "p99_ms", "p999_ms", "max_over_mean", "errors", "bad_share", "connections", "attempts_per_call", "seed",
			"classes", "capacity_per_s", "goodput", "p99_before_ms", "p99_during_ms", "p99_after_ms", "trouble", "recovered_s"} {
			if _, ok := row[field]; !ok {
				t.Errorf("row %d has no %s", i, field)
			}
		}
	}
	for _, file := range []string{filepath.Join(svg, "priority-limits.svg"), html} {
		text, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(text), "NaN") || strings.Contains(string(text), "Inf") {
			t.Errorf("%s is not whole: %v", file, err)
		}
		// Two trials, of which each has a plot of goodput, one of p99, and of refusals
		// one in all and one of each priority.
		for part, want := range map[string]int{"goodput, of what": 2, "p99 of calls": 2, "not sent or refused": 2, "of critical calls": 2, "of sheddable calls": 2} {
			if got := strings.Count(string(text), part); got != want {
				t.Errorf("%s has %d plots %q, want %d", file, got, part, want)
			}
		}
	}
}
