package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

func TestJSONNamesFieldsAsReadersExpectThem(t *testing.T) {
	const row = "variant protocol payload concurrency handler deadline rps p50_us p99_us p999_us cpu_us_per_req rss_mb client_allocs errors"
	const comparison = "variant base protocol payload concurrency handler deadline metric median low high confidence pairs"
	for _, c := range []struct {
		name string
		of   any
		want string
	}{
		{"row", Row{}, row},
		{"row of a proxied lane at a rate", Row{Rate: 1, ProxyCPU: 1, ProxyRPSPerCore: 1}, row + " rate proxy_cpu_us_per_req proxy_rps_per_core"},
		{"comparison", Comparison{}, comparison},
		{"proxy", Proxy{}, "name version note"},
		{"report", Report{}, "rows ratios added pairwise environment proxies method warnings"},
	} {
		line, err := json.Marshal(c.of)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		for field := range strings.FieldsSeq(c.want) {
			if _, ok := fields[field]; !ok {
				t.Errorf("a %s has no field %s", c.name, field)
			}
			delete(fields, field)
		}
		if len(fields) > 0 {
			t.Errorf("a %s has fields nobody knows of: %v", c.name, fields)
		}
	}
}

// A figure that is no number would cost the whole report.
func TestTheLastLineIsJSONWhateverTheRunsWere(t *testing.T) {
	for name, runs := range map[string][]load.Measurement{
		"none":                            nil,
		"without calls":                   {{Errors: 3, FirstError: "no", Elapsed: time.Second}},
		"empty":                           {{}},
		"calls of which no time is known": {{Calls: 1}},
	} {
		var r Report
		r.Add(scenario.Scenario{Protocol: scenario.GRPC}, []*Lane{{Name: "plain", Runs: runs}, {Name: Again, Runs: runs}, {Name: "other", Runs: runs}})
		var out bytes.Buffer
		r.Print(&out, true) // fails where calls failed
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for field, value := range got {
			if value == nil {
				t.Errorf("%s: %s is null", name, field)
			}
		}
		if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
			t.Errorf("%s: printed\n%s", name, &out)
		}
	}
}
