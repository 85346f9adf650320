package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestEstimate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []float64
		want   Estimate
	}{
		{"none", nil, Estimate{}},
		{"one has no width", []float64{3}, Estimate{3, 3, 3}},
		{"all alike", []float64{2, 2, 2}, Estimate{2, 2, 2}},
		{"two, with one degree of freedom", []float64{1, 3}, Estimate{2, 2 - 12.706, 2 + 12.706}},
		{"ten, with nine", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Estimate{5.5, 5.5 - 2.1659, 5.5 + 2.1659}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := estimate(tt.values)
			for _, d := range []float64{got.Mean - tt.want.Mean, got.Low - tt.want.Low, got.High - tt.want.High} {
				if math.Abs(d) > 1e-3 {
					t.Fatalf("got %+v, want %+v", got, tt.want)
				}
			}
		})
	}
}

// rows are two policies with two seeds each, of which the second is slower by half.
func rows() []Row {
	share := 0.5
	var all []Row
	for _, policy := range []string{"p2c-ewma", "p2c-oracle"} {
		for seed := range uint64(2) {
			r := Row{Scenario: "s", Policy: policy, Clients: 1, Load: 0.5, Seed: seed, P99: 10 * float64(seed+1), BadShare: &share}
			if policy == "p2c-ewma" {
				r.P99 *= 1.5
			}
			all = append(all, r)
		}
	}
	return all
}

func TestRatiosAreOfTheSameSeed(t *testing.T) {
	got := Intervals(rows())
	if len(got) != 2 || got[0].Seeds != 2 {
		t.Fatalf("got %+v", got)
	}
	if r := got[0].P99Oracle; r == nil || *r != (Estimate{1.5, 1.5, 1.5}) {
		t.Errorf("p99 is %+v of that of the oracle, want 1.5 without any doubt", r)
	}
	if got[0].P999Prequal != nil {
		t.Error("prequal was not played")
	}
}

func TestJSONIsOneLine(t *testing.T) {
	for _, tt := range []struct {
		name      string
		rows      []Row
		intervals bool
	}{{"several seeds", rows(), true}, {"one seed", rows()[:1], false}, {"nothing", nil, false}} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if err := JSON(&out, tt.rows, nil, nil); err != nil {
				t.Fatal(err)
			}
			if strings.Count(out.String(), "\n") != 1 {
				t.Errorf("it is %q", out.String())
			}
			var all map[string]any
			if err := json.Unmarshal([]byte(out.String()), &all); err != nil {
				t.Fatal(err)
			}
			if _, ok := all["intervals"]; ok != tt.intervals {
				t.Errorf("intervals: %v", ok)
			}
		})
	}
}
