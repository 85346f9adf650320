package report

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

func TestALaneIsComparedWithTheBaseThatItNames(t *testing.T) {
	var r Report
	r.Add(scenario.Scenario{}, []*Lane{
		{Name: "plain", Runs: costing(1, 1)},
		{Name: Again, Runs: costing(1, 1)},
		{Name: "sidecar-nginx", Runs: costing(3, 3)},
		{Name: "plain-x4", Base: "plain-x4", Runs: costing(2, 2)},
		{Name: "central-nginx", Base: "plain-x4", Runs: costing(3, 3)},
		{Name: "lost", Base: "nobody", Runs: costing(3, 3)},
	})
	want := []string{"A/A ÷ plain 1", "sidecar-nginx ÷ plain 3", "central-nginx ÷ plain-x4 1.5"}
	if got := medians(r.Ratios); !slices.Equal(got, want) {
		t.Errorf("ratios: %q, want %q", got, want)
	}
	want = []string{"A/A ÷ plain 0", "sidecar-nginx ÷ plain 2000", "central-nginx ÷ plain-x4 1000"}
	if got := medians(r.Added); !slices.Equal(got, want) {
		t.Errorf("added: %q, want %q", got, want)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, `there is no lane "nobody"`) }) {
		t.Errorf("nobody says what lost is not compared with: %q", r.Warnings)
	}
}

func TestTheCPUOfAllLanesIsComparedPairwise(t *testing.T) {
	var r Report
	r.Add(scenario.Scenario{}, []*Lane{{Name: "plain", Runs: costing(1, 3)}, {Name: Again, Runs: costing(1, 3)}, {Name: "inside", Runs: costing(2, 6)}, {Name: "sidecar", Runs: costing(8, 24)}})
	want := []string{"plain ÷ A/A 1", "plain ÷ inside 0.5", "plain ÷ sidecar 0.125", "A/A ÷ inside 0.5", "A/A ÷ sidecar 0.125", "inside ÷ sidecar 0.25"}
	if got := r.groups[0].matrix()[4]; !slices.Equal(got, []string{"sidecar", "8.00 [8.00, 8.00]", "8.00 [8.00, 8.00]", "4.00 [4.00, 4.00]", "1"}) {
		t.Errorf("the sidecar and all others: %q", got)
	}
	if got := medians(r.Pairwise); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// medians are those of the CPU.
func medians(list []Comparison) (all []string) {
	for _, of := range list {
		if of.Metric == "cpu_us_per_req" {
			all = append(all, fmt.Sprintf("%s ÷ %s %.4g", of.Variant, of.Base, of.Median))
		}
	}
	return all
}

func TestARowTellsWhatIsTheProxies(t *testing.T) {
	run := load.Measurement{Calls: 1000, Elapsed: time.Second, CPU: 100 * time.Millisecond, ClientCPU: 30 * time.Millisecond, ProxyCPU: 50 * time.Millisecond, Rate: 700}
	var r Report
	r.Add(scenario.Scenario{}, []*Lane{{Name: "sidecar", Runs: []load.Measurement{run}}})
	got := r.Rows[0]
	if got.CPU != 100 || got.ProxyCPU != 50 || got.ProxyRPSPerCore != 20_000 || got.Rate != 700 {
		t.Errorf("%+v", got)
	}
	if servers := serverCPU(run); math.Abs(servers-20) > 1e-9 {
		t.Errorf("the servers used %v µs for a call, want 20", servers)
	}
}

func TestWarningsSayWhatNotToTrust(t *testing.T) {
	calm := []float64{1, 1, 1, 1, 1, 1}
	for _, c := range []struct {
		name  string
		again []float64
		want  string // "" for none
	}{
		{"calm", calm, ""},
		{"the base differs from itself", []float64{1.01, 1.02, 1.01, 1.02, 1.01, 1.02}, "CPU: the base differs from itself by A/A [1.010, 1.020]"},
		{"a wide interval", []float64{0.9, 1, 1, 1, 1, 1.1}, "1 of 1 intervals of CPU are wider than 6 % of the ratio, the widest is 1.000 [0.900, 1.100] of A/A"},
	} {
		var r Report
		r.Add(scenario.Scenario{Protocol: scenario.HTTP1}, []*Lane{{Name: "plain", Runs: costing(calm...)}, {Name: Again, Runs: costing(c.again...)}})
		var got []string
		for _, w := range r.Warnings {
			if !strings.Contains(w, "not known") {
				got = append(got, w)
			}
		}
		if c.want == "" && got != nil || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want) || !strings.HasPrefix(got[0], "http1, ")) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTablesFitIntoATerminal(t *testing.T) {
	r := sample()
	var out bytes.Buffer
	if err := r.Print(&out, false); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 120 && !strings.HasPrefix(line, "warning: ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, in := range r.Rows {
		if strings.Count(out.String(), in.Title()+"\n") != 1 {
			t.Errorf("not one title %q", in.Title())
		}
		if !strings.Contains(out.String(), "  "+in.Variant+" ") {
			t.Errorf("no row of %s", in.Variant)
		}
	}
	for _, of := range slices.Concat(r.Ratios, r.Added) {
		digits := 3
		if slices.Contains(r.Added, of) {
			digits = 1
		}
		if of.Metric == "cpu_us_per_req" && !strings.Contains(out.String(), of.text(digits)) {
			t.Errorf("%s ÷ %s is not in the tables", of.Variant, of.Base)
		}
	}
}
