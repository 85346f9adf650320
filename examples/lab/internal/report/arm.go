package report

import (
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// Arm is what came of one scenario without a feature, or with it, for one policy and
// one seed.
type Arm struct {
	Scenario string  `json:"scenario"`
	Feature  string  `json:"feature"`
	With     bool    `json:"with"`
	Policy   string  `json:"policy"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p999_ms"`
	Errors   float64 `json:"errors"` // the share of calls that failed
	// Attempts are those to the last hop, of each call, and Executions what servers
	// of that hop began.
	Attempts   float64 `json:"attempts_per_call"`
	Executions float64 `json:"executions_per_call"`
	Hedges     float64 `json:"hedges_per_call"`
	// BadShare is what the instances that the scenario calls bad got of a fair share;
	// null where it calls none so.
	BadShare *float64 `json:"bad_share"`
	// Recovered is how long after the trouble all was as before, in seconds. Null
	// where there was none, or where it was not until the end: then Lost is true.
	Recovered *float64 `json:"recovered_s"`
	Lost      bool     `json:"lost"`
	Seed      uint64   `json:"seed"`

	Result *sim.Result `json:"-"`
}

// NewArm makes the row of a result. The trouble was from one moment until another;
// 0: there was none.
func NewArm(scenario, feature string, with bool, policy string, from, until time.Duration, seed uint64, r *sim.Result) Arm {
	last, calls := &r.Hops[len(r.Hops)-1], float64(max(1, r.Calls))
	a := Arm{
		Scenario: scenario, Feature: feature, With: with, Policy: policy, Seed: seed, Result: r,
		P50: milliseconds(r.Latency.Quantile(0.5)), P99: milliseconds(r.Latency.Quantile(0.99)), P999: milliseconds(r.Latency.Quantile(0.999)),
		Errors: r.ErrorShare(), Attempts: r.Amplification(), Executions: float64(last.Executions) / calls, Hedges: float64(r.Hedges) / calls,
	}
	if share, known := r.BadShare(); known {
		a.BadShare = &share
	}
	if until > 0 {
		after, ok := r.Recovered(from, until)
		if a.Lost = !ok; ok {
			s := after.Seconds()
			a.Recovered = &s
		}
	}
	return a
}

// arms are those that differ by seed only.
type arms []Arm

func (a arms) over(f func(*Arm) float64) Estimate {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = f(&a[i])
	}
	return estimate(values)
}

// badShare is "-" where there is none.
func (a arms) badShare() string {
	if a[0].BadShare == nil {
		return "-"
	}
	return a.over(func(a *Arm) float64 {
		if a.BadShare == nil {
			return 0
		}
		return *a.BadShare
	}).text(3, len(a))
}

// recovered says when all was well again, in the words of a table: "never" of those
// seeds in which it was not.
func (a arms) recovered() string {
	var some []float64
	lost := 0
	for i := range a {
		if a[i].Lost {
			lost++
		} else if a[i].Recovered != nil {
			some = append(some, *a[i].Recovered)
		}
	}
	switch {
	case lost > 0:
		return "never"
	case len(some) == 0:
		return "-"
	}
	return estimate(some).text(0, len(a))
}

// bySeed puts arms together that differ by seed only, in their order.
func bySeed(all []Arm) (groups []arms) {
	same := func(a, b *Arm) bool {
		return a.Scenario == b.Scenario && a.Feature == b.Feature && a.With == b.With && a.Policy == b.Policy
	}
	for i := range all {
		if n := len(groups); n == 0 || !same(&groups[n-1][0], &all[i]) {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], all[i])
	}
	return groups
}
