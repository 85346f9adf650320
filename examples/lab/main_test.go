package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/examples/lab/internal/report"
	"github.com/fairlead-go/fairlead/examples/lab/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

func TestBadFlagsSayWhatIsAllowed(t *testing.T) {
	empty, odd := filepath.Join(t.TempDir(), "empty"), filepath.Join(t.TempDir(), "odd")
	for file, text := range map[string]string{empty: "\n", odd: "5ms\nsoon\n"} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-scenario slow-two", []string{"-scenario", `"slow-two"`, "slow-one, heterogeneous"}},
		{"-policy best", []string{"-policy", `"best"`, "p2c-ewma", "p2c-oracle"}},
		{"-policy p2c-ewma,", []string{"-policy", `""`, "p2c-ewma"}},
		{"-seeds 0", []string{"-seeds 0", "1 to 10000"}},
		{"-workers -1", []string{"-workers -1", "0 (as the scenario says) to 1000"}},
		{"-seeds many", []string{"-seeds", "many"}},
		{"-seed -1", []string{"-seed", "-1"}},
		{"-work " + empty, []string{"-work", "empty"}},
		{"-work " + odd, []string{"-work", "line 2", `"soon"`, "12.5ms"}},
		{"-work nowhere", []string{"-work", "nowhere"}},
		{"slow-one", []string{`"slow-one"`}},
		{"-load 3", []string{"-load"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var said strings.Builder
			if _, err := parse(strings.Fields(tt.args), &said); err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(said.String(), want) {
					t.Errorf("it said %q, which has no %s", said.String(), want)
				}
			}
		})
	}
}

// result is the object in the last line of a run.
type result struct {
	Rows      []map[string]any
	Intervals []report.Interval
	Features  []map[string]any
	Limits    []map[string]any
}

// arm is that of the first trial.
func (r *result) arm(name string) map[string]any {
	for _, row := range r.Limits {
		if row["arm"] == name {
			return row
		}
	}
	return nil
}

func (r *result) goodput(arm string) float64 { return r.arm(arm)["goodput"].(float64) }

func last(t *testing.T, output string) (all result) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &all); err != nil {
		t.Fatalf("the last line is no JSON: %v", err)
	}
	return all
}

func lab(t *testing.T, args string) string {
	t.Helper()
	o, err := parse(strings.Fields(args), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := o.run(&out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOutput(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it plays two million calls")
	}
	svg, html := filepath.Join(t.TempDir(), "svg"), filepath.Join(t.TempDir(), "lab.html")
	out := lab(t, "-scenario sinkhole,rolling-deploy -policy p2c-ewma,p2c-oracle -seeds 2 -json -svg "+svg+" -html "+html)
	all := last(t, out)
	if len(all.Rows) != 8 || len(all.Intervals) != 4 {
		t.Fatalf("%d rows, %d intervals; want 8, 4", len(all.Rows), len(all.Intervals))
	}
	for _, row := range all.Rows {
		for _, field := range []string{"scenario", "policy", "clients", "load", "p50_ms", "p99_ms", "p999_ms", "max_over_mean", "errors", "bad_share", "connections", "attempts_per_call", "seed"} {
			if _, ok := row[field]; !ok {
				t.Errorf("a row has no %s", field)
			}
		}
		if len(row) != 13 {
			t.Errorf("a row has %d fields: %v", len(row), row)
		}
	}
	for _, want := range []string{"sinkhole, 10 clients, load 0.5", "p2c-oracle", "±"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q", want)
		}
	}
	plots, err := filepath.Glob(filepath.Join(svg, "*.svg"))
	if err != nil || len(plots) != 2 {
		t.Errorf("there are %d plots, %v", len(plots), err)
	}
	page, err := os.ReadFile(html)
	if err != nil || strings.Count(string(page), "<svg") != 2 || !strings.Contains(string(page), "rolling-deploy") {
		t.Errorf("the page is not whole: %d bytes, %v", len(page), err)
	}
	for _, p := range append(plots, html) {
		if text, err := os.ReadFile(p); err != nil || strings.Contains(string(text), "NaN") || strings.Contains(string(text), "Inf") {
			t.Errorf("%s has what is no number, %v", p, err)
		}
	}
}

func TestScenariosArePlans(t *testing.T) {
	var names []string
	for _, s := range scenario.All() {
		names = append(names, s.Name)
		for _, p := range s.Plans() {
			if err := p.Validate(); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
		for _, f := range s.Features {
			if err := errors.Join(f.Without.Validate(), f.With.Validate()); err != nil || f.Name == "" {
				t.Errorf("%s, %q: %v", s.Name, f.Name, err)
			}
		}
		for _, trial := range s.Trials {
			for _, arm := range trial.Arms {
				if err := arm.Plan.Validate(); err != nil || trial.Name == "" || arm.Name == "" {
					t.Errorf("%s, %q, %q: %v", s.Name, trial.Name, arm.Name, err)
				}
			}
		}
		if s.About == "" {
			t.Errorf("%s does not say what it is about", s.Name)
		}
	}
	want := []string{"slow-one", "heterogeneous", "sinkhole", "new-instance", "zone-loss", "rolling-deploy", "autoscale", "gray", "many-clients", "overload", "retry-storm", "recovery", "outage", "bimodal", "priority"}
	if !slices.Equal(names, want) {
		t.Errorf("scenarios are %v, want %v", names, want)
	}
}

// planned is the plan of a scenario, for tests that may take seconds.
func planned(t *testing.T, name string) sim.Plan {
	t.Helper()
	if testing.Short() || underRace {
		t.Skip("it plays a million calls")
	}
	all := scenario.All()
	return all[slices.IndexFunc(all, func(s scenario.Scenario) bool { return s.Name == name })].Plan
}

// brief plays a scenario for the default policy.
func brief(t *testing.T, name string) *sim.Result {
	t.Helper()
	r, err := sim.Run(planned(t, name), sim.Subject{Policy: balancer.P2CEWMA{}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What the default policy promises, by seed 1; docs/lab.md has
// intervals.
func TestTheDefaultPolicy(t *testing.T) {
	planned(t, "slow-one") // or skip it all
	against := func(scenario string, clients int, load, most float64, other string, quantile float64) {
		t.Helper()
		plan := planned(t, scenario)
		plan.Clients, plan.Traffic.Load = clients, load
		var took [2]time.Duration
		for i, name := range []string{"p2c-ewma", other} {
			one, err := chosen("policy", name, subjects(), func(s subject) string { return s.name })
			if err != nil {
				t.Fatal(err)
			}
			r, err := sim.Run(plan, one[0].Subject, 1)
			if err != nil {
				t.Fatal(err)
			}
			took[i] = r.Latency.Quantile(quantile)
		}
		ratio := float64(took[0]) / float64(took[1])
		t.Logf("%s, %d clients, load %g: p%g is %.2f times that of %s", scenario, clients, load, 100*quantile, ratio, other)
		if ratio > most {
			t.Errorf("allowed is %g", most)
		}
	}
	t.Run("a slow one is left alone, also by many", func(t *testing.T) {
		against("slow-one", 1, 0.5, 1.15, "p2c-oracle", 0.99)
		against("slow-one", 10, 0.5, 1.5, "p2c-oracle", 0.99)
		against("slow-one", 100, 0.5, 1.5, "p2c-oracle", 0.99)
	})
	t.Run("speed is found out without reports", func(t *testing.T) {
		against("heterogeneous", 20, 0.8, 1.1, "prequal", 0.999)
	})
	t.Run("a sinkhole attracts nothing", func(t *testing.T) {
		if r := brief(t, "sinkhole"); !(first(r.BadShare()) <= 0.05) {
			t.Errorf("it has %.3f of its share", first(r.BadShare()))
		}
	})
	t.Run("a lost zone is made up for evenly", func(t *testing.T) {
		r := brief(t, "zone-loss")
		a, b := first(r.ClassShare("a")), first(r.ClassShare("b"))
		t.Logf("the others have %.3f and %.3f of their shares, %.5f of the calls failed", a, b, r.ErrorShare())
		if even := (a + b) / 2; a > 1.2*even || b > 1.2*even {
			t.Errorf("the others have %.2f and %.2f of their shares", a, b)
		}
		if r.ErrorShare() > 1e-3 {
			t.Errorf("%.5f of the calls failed", r.ErrorShare())
		}
	})
	t.Run("a deploy is not noticed", func(t *testing.T) {
		if r := brief(t, "rolling-deploy"); r.Errors != 0 {
			t.Errorf("%d calls failed", r.Errors)
		}
	})
	t.Run("retries do not multiply the load", func(t *testing.T) {
		if r := brief(t, "retry-storm"); r.AttemptsPerCall() > 1.25 {
			t.Errorf("%.2f attempts a call", r.AttemptsPerCall())
		}
	})
}

func first(f float64, _ bool) float64 { return f }

// The laboratory has no policy of its own, and no limit: with others in the library it
// shows other figures.
func TestItIsTheLibraryThatDecides(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("it builds the program anew")
	}
	honest := map[string]result{}
	for _, tt := range []struct {
		name, file, of string
		instead        string // of what it does
		scenario       string
		worse          func(t *testing.T, one, other result)
	}{
		{"a policy that draws a single node, and looks at nothing", "balancer/p2cewma.go", "func (p *p2cEWMA) Pick(r Request) *Node {", "return p.nodes[drawOne(r.Rand, len(p.nodes))]", "gray",
			func(t *testing.T, one, other result) {
				if p99, worse := one.Rows[0]["p99_ms"].(float64), other.Rows[0]["p99_ms"].(float64); worse < 1.05*p99 {
					t.Errorf("p99 is %.1f ms, with the naive policy %.1f", p99, worse)
				}
				if share, worse := one.Rows[0]["bad_share"].(float64), other.Rows[0]["bad_share"].(float64); worse < 1.2*share {
					t.Errorf("the bad have %.3f of their share, with the naive policy %.3f", share, worse)
				}
			}},
		{"a limit that refuses nobody", "ratelimit/concurrency.go", "func (l *Concurrency) TryAcquire(p Priority) bool {", "return true", "overload",
			func(t *testing.T, one, other result) {
				if g, worse := one.goodput("server"), other.goodput("server"); worse > 0.2*g {
					t.Errorf("goodput is %.3f, without limits %.3f", g, worse)
				}
			}},
		{"a throttle that sends all", "ratelimit/throttle.go", "func (t *Throttle) Allow(now time.Duration, p Priority, random uint64) bool {", "return true", "overload",
			func(t *testing.T, one, other result) {
				if sent, more := one.arm("both")["attempts_per_call"].(float64), other.arm("both")["attempts_per_call"].(float64); more < 1.1*sent {
					t.Errorf("%.3f of the calls are sent, without a throttle %.3f", sent, more)
				}
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, err := filepath.Abs("../../" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(source), tt.of) {
				t.Fatalf("%s is not as it was", tt.file)
			}
			dir := t.TempDir()
			double, overlay := filepath.Join(dir, "double.go"), filepath.Join(dir, "overlay.json")
			for name, text := range map[string]string{
				double:  strings.Replace(string(source), tt.of, tt.of+"\n\tif true {\n\t\t"+tt.instead+"\n\t}\n", 1),
				overlay: fmt.Sprintf(`{"Replace": {%q: %q}}`, file, double),
			} {
				if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			one, ok := honest[tt.scenario]
			if !ok {
				one = built(t, tt.scenario)
				honest[tt.scenario] = one
			}
			tt.worse(t, one, built(t, tt.scenario, "-overlay", overlay))
		})
	}
}

// built plays a scenario with a program that is built so.
func built(t *testing.T, scenario string, flags ...string) result {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", slices.Concat([]string{"build", "-o", program}, flags, []string{"."})...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(program, "-scenario", scenario, "-policy", "p2c-ewma", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	return last(t, string(out))
}
