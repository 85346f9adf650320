// Package report says what a benchmark found: rows, and ratios to a base.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/internal/environment"
)

// Report is what the benchmark found; with -json its last line.
type Report struct {
	Environment environment.Environment `json:"environment"`
	Rows        []Row                   `json:"rows"`
	Ratios      []Ratio                 `json:"ratios"`
	Warnings    []string                `json:"warnings,omitempty"`
}

// Row is a variant in a scenario: medians over its runs, errors of all of them.
type Row struct {
	Variant string `json:"variant"`
	scenario.Scenario
	RPS          float64 `json:"rps"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	P999         float64 `json:"p999_us"`
	CPU          float64 `json:"cpu_us_per_req"` // of client and servers
	RSS          float64 `json:"rss_mb"`         // of client and servers
	ClientAllocs float64 `json:"client_allocs"`  // per request
	Errors       int64   `json:"errors"`
}

// Add adds the rows and ratios of a scenario; the first lane is the base.
func (r *Report) Add(s scenario.Scenario, lanes []*Lane) {
	base := lanes[0]
	for _, l := range lanes {
		in := Row{
			Variant: l.Name, Scenario: s, RPS: medianOf(l.Runs, load.Measurement.RPS),
			P50: medianOf(l.Runs, load.Measurement.MicrosP50), P99: medianOf(l.Runs, load.Measurement.MicrosP99), P999: medianOf(l.Runs, load.Measurement.MicrosP999),
			CPU: medianOf(l.Runs, load.Measurement.CPUPerCall), RSS: medianOf(l.Runs, load.Measurement.MebibytesRSS), ClientAllocs: medianOf(l.Runs, load.Measurement.AllocsPerCall),
		}
		first := ""
		for _, m := range l.Runs {
			in.Errors += m.Errors
			first = cmp.Or(first, m.FirstError)
		}
		r.Rows = append(r.Rows, in)
		if in.Errors > 0 {
			r.warn(s, l, "%d calls failed, such as: %s", in.Errors, first)
		}
		if l != base {
			r.compare(s, l, base)
		}
	}
}

func (r *Report) compare(s scenario.Scenario, l, base *Lane) {
	for _, f := range figures() {
		e, known := compare(l.Runs, base.Runs, f.of)
		if !known {
			r.warn(s, l, "no ratio of %s: it is not known here", f.title)
			continue
		}
		r.Ratios = append(r.Ratios, Ratio{Variant: l.Name, Base: base.Name, Scenario: s, Metric: f.metric, Estimate: e})
		if f.metric != figures()[0].metric {
			continue
		}
		if e.High-e.Low > widest {
			r.warn(s, l, "the interval of the CPU ratio is %.2f wide: the machine is busy, or -pairs or -duration is too small", e.High-e.Low)
		}
		if l.Name == Again && e.Confidence >= 0.95 && (e.Low > 1 || e.High < 1) {
			r.warn(s, l, "the base differs from itself: do not trust this scenario")
		}
	}
}

// widest is how wide an interval may be before it is worth a warning.
const widest = 0.06

func (r *Report) warn(s scenario.Scenario, l *Lane, format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf("%s, %s: ", s.Title(), l.Name)+fmt.Sprintf(format, args...))
}

// Print writes the tables and, with asJSON, one line of JSON after them. The
// error says that calls failed.
func (r *Report) Print(w io.Writer, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\nprotocol\tpayload\tconc.\tvariant\treq/s\tp50 µs\tp99 µs\tp99.9 µs\tCPU µs/req\tRSS MB\tclient allocs\terrors\t\n")
	failed := int64(0)
	for _, in := range r.Rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.0f\t%.1f\t%d\t\n", in.Protocol, in.Payload, in.Concurrency,
			in.Variant, in.RPS, in.P50, in.P99, in.P999, in.CPU, in.RSS, in.ClientAllocs, in.Errors)
		failed += in.Errors
	}
	table.Flush()
	r.printRatios(w)
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(r); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d calls failed", failed)
	}
	return nil
}

func (r *Report) printRatios(w io.Writer) {
	fmt.Fprintln(w, "\nRatios to the base: median of the rounds [interval]. CPU is that of all processes per request.")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "protocol\tpayload\tconc.\tvariant ÷ base\t")
	for _, f := range figures() {
		if f.shown {
			fmt.Fprintf(table, "%s\t", f.title)
		}
	}
	for _, in := range r.Rows {
		cells := r.cells(in)
		if cells == "" {
			continue // the base
		}
		fmt.Fprintf(table, "\n%s\t%d\t%d\t%s", in.Protocol, in.Payload, in.Concurrency, cells)
	}
	fmt.Fprintln(table)
	table.Flush()
}

// cells are the ratios of a row.
func (r *Report) cells(in Row) string {
	cells := ""
	for _, f := range figures() {
		for _, of := range r.Ratios {
			if !f.shown || of.Metric != f.metric || of.Variant != in.Variant || of.Scenario != in.Scenario {
				continue
			}
			if cells == "" {
				cells = of.Variant + " ÷ " + of.Base + "\t"
			}
			cells += fmt.Sprintf("%.3f [%.3f, %.3f]\t", of.Median, of.Low, of.High)
		}
	}
	return cells
}
