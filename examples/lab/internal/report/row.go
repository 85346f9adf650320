// Package report shows what the laboratory found: as a table, as JSON, as plots
// and as a page.
package report

import (
	"time"

	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// Row is what came of one scenario for one policy and one seed.
type Row struct {
	Scenario string  `json:"scenario"`
	Policy   string  `json:"policy"`
	Clients  int     `json:"clients"`
	Load     float64 `json:"load"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p999_ms"`
	// MaxOverMean is what the instance with the most calls got, of the mean.
	MaxOverMean float64 `json:"max_over_mean"`
	Errors      float64 `json:"errors"` // the share of calls that failed
	// BadShare is what the instances that the scenario calls bad got of a fair
	// share; null where it calls none so.
	BadShare        *float64 `json:"bad_share"`
	Connections     int      `json:"connections"`
	AttemptsPerCall float64  `json:"attempts_per_call"`
	Seed            uint64   `json:"seed"`
	// Classes are there where calls have several priorities, the most important first.
	Classes []Class `json:"classes,omitempty"`

	Result *sim.Result `json:"-"`
}

// NewRow makes the row of a result.
func NewRow(scenario, policy string, clients int, load float64, seed uint64, r *sim.Result) Row {
	row := Row{
		Scenario: scenario, Policy: policy, Clients: clients, Load: load, Seed: seed, Result: r,
		P50: milliseconds(r.Latency.Quantile(0.5)), P99: milliseconds(r.Latency.Quantile(0.99)), P999: milliseconds(r.Latency.Quantile(0.999)),
		MaxOverMean: r.MaxOverMean(), Errors: r.ErrorShare(), Connections: r.Connections, AttemptsPerCall: r.AttemptsPerCall(),
		Classes: classes(r),
	}
	if share, known := r.BadShare(); known {
		row.BadShare = &share
	}
	return row
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// group is what must be the same in rows that differ by seed and policy only.
type group struct {
	scenario string
	clients  int
	load     float64
}

func (r *Row) group() group { return group{r.Scenario, r.Clients, r.Load} }
