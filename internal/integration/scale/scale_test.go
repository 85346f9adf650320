package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

// TestMain lets the workers of a run be this test binary.
func TestMain(m *testing.M) {
	worker.Play(roles())
	os.Exit(m.Run())
}

// Every part runs, at a size that proves nothing, and says what it promises to
// say.
func TestEveryPartRuns(t *testing.T) {
	for part, wanted := range map[string][]string{
		"applied": {"bare put to applied p99", "fairlead put to applied p50", "fairlead put to applied p99", "fairlead ÷ bare p99", "fairlead ÷ bare client CPU"},
		"subscribers": {"one-subscriber put to last p50", "many-bare-watches put to last p50", "many ÷ one subscriber p50",
			"many subscribers ÷ many bare watches p50"},
		"registrations": {"fairlead ÷ bare client CPU", "fairlead ÷ puts client CPU", "fairlead ÷ bare until gone", "fairlead until registered"},
		"instances":     {"a record", "bare heap an instance", "fairlead heap", "fairlead CPU a change in a burst"},
		"services":      {"fairlead until all are live", "fairlead heap", "fairlead goroutines", "bare watches at etcd"},
		"cluster": {"fairlead ÷ bare p99", "etcd CPU at rest without clients, all members", "fairlead registration with a new client p99",
			"fairlead leases, etcd CPU at rest, all members"},
		"rules": {"bare put to applied p99", "fairlead put to applied p50", "fairlead put to applied p99", "fairlead ÷ bare p99", "fairlead ÷ bare client CPU"},
		"proxy": {"direct, watches at etcd", "through the proxy, watches at etcd", "through the proxy, put to applied p50", "direct, etcd CPU at rest"},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			r, err := parse(strings.Fields("-json -rounds 1 -changes 2 -apart 150ms -rest 200ms -watchers 12 -processes 2 -subscribers 12"+
				" -registrations 150 -in-flight 16 -instances 700 -services 12 -leases 12 -clients 8 -part "+part), t.Output())
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := r.do(t.Context(), &out); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			t.Log(out.String())
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			var found report
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &found); err != nil {
				t.Fatalf("last line: %v", err)
			}
			for _, name := range wanted {
				if v := found.value(part, name); !(v > 0) || math.IsInf(v, 0) {
					t.Errorf("%s is %v", name, v)
				}
				if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "  "+name+"  ") }) {
					t.Errorf("%s is not in the table", name)
				}
			}
			if direct, proxied := found.value(part, "direct, watches at etcd"), found.value(part, "through the proxy, watches at etcd"); direct <= proxied {
				t.Errorf("%v watches at etcd directly, %v through the proxy", direct, proxied)
			}
			if found.Sizes.Registrations != 150 || found.Environment.Go == "" {
				t.Errorf("the report does not say what was measured: %+v, %+v", found.Sizes, found.Environment)
			}
		})
	}
}

// A change that another overtook arrived with that one.
func TestAChangeArrivesWithTheFirstThatHoldsIt(t *testing.T) {
	for _, c := range []struct {
		id   int64
		want float64
	}{{1, 0.5}, {2, 4}, {3, 4}} {
		got, err := latency(arrival{c.id, 1_000_000}, []arrival{{1, 1_500_000}, {3, 5_000_000}, {4, 6_000_000}})
		if err != nil || got != c.want {
			t.Errorf("change %d took %v ms (%v), want %v", c.id, got, err, c.want)
		}
	}
	if _, err := latency(arrival{5, 0}, []arrival{{4, 1}}); err == nil {
		t.Error("a change that nobody saw is no error")
	}
}

func TestAnAimThatIsMissedIsShown(t *testing.T) {
	r := report{part: "applied"}
	r.addRatio("good", []float64{3, 2, 9}, []float64{2, 2, 2}, 1.5)
	r.addRatio("bad", []float64{4, 4}, []float64{2, 1}, 1.3)
	var out bytes.Buffer
	r.print(&out, 0)
	for _, want := range []string{"good  1.5 × [1, 4.5]  aim ≤ 1.5: met", "bad   3 × [2, 4]      aim ≤ 1.3: missed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not %q in\n%s", want, &out)
		}
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		q    float64
		want float64
	}{{0, 1}, {0.5, 2}, {0.75, 3}, {0.76, 4}, {0.99, 4}, {1, 4}} {
		if got := quantile([]float64{4, 2, 1, 3}, c.q); got != c.want {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
}

func TestCommandLineIsRefusedWithFlagAndRule(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-part nothing", `-part "nothing": allowed are applied, rules, subscribers`},
		{"-watchers 0", "-watchers 0: allowed are whole numbers from 1"},
		{"-apart 1ms", "-apart 1ms, -rest 15s: allowed is 10ms or more"},
		{"more", `argument "more"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			var said bytes.Buffer
			if _, err := parse(strings.Fields(c.args), &said); err == nil || !strings.Contains(said.String(), c.want) {
				t.Errorf("said %q (%v), want %q", &said, err, c.want)
			}
		})
	}
}
