package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/fairlead-go/fairlead/internal/environment"
)

// report is what the benchmark found; with -json its last line.
type report struct {
	Environment environment.Environment `json:"environment"`
	Rows        []row                   `json:"rows"`
	Ratios      []ratio                 `json:"ratios"`
	Warnings    []string                `json:"warnings,omitempty"`
}

// row is a variant in a scenario: medians over its runs, errors of all of them.
type row struct {
	Variant string `json:"variant"`
	scenario
	RPS          float64 `json:"rps"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	P999         float64 `json:"p999_us"`
	CPU          float64 `json:"cpu_us_per_req"` // of client and servers
	RSS          float64 `json:"rss_mb"`         // of client and servers
	ClientAllocs float64 `json:"client_allocs"`  // per request
	Errors       int64   `json:"errors"`
}

// add adds the rows and ratios of a scenario; the first lane is the base.
func (r *report) add(s scenario, lanes []*lane) {
	base := lanes[0]
	for _, l := range lanes {
		in := row{
			Variant: l.name, scenario: s, RPS: medianOf(l.runs, rps),
			P50: medianOf(l.runs, p50), P99: medianOf(l.runs, p99), P999: medianOf(l.runs, p999),
			CPU: medianOf(l.runs, cpu), RSS: medianOf(l.runs, rss), ClientAllocs: medianOf(l.runs, allocs),
		}
		first := ""
		for _, m := range l.runs {
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

func (r *report) compare(s scenario, l, base *lane) {
	for _, f := range figures() {
		e, known := compare(l.runs, base.runs, f.of)
		if !known {
			r.warn(s, l, "no ratio of %s: it is not known here", f.title)
			continue
		}
		r.Ratios = append(r.Ratios, ratio{Variant: l.name, Base: base.name, scenario: s, Metric: f.metric, estimate: e})
		if f.metric != figures()[0].metric {
			continue
		}
		if e.High-e.Low > widest {
			r.warn(s, l, "the interval of the CPU ratio is %.2f wide: the machine is busy, or -pairs or -duration is too small", e.High-e.Low)
		}
		if l.name == again && e.Confidence >= 0.95 && (e.Low > 1 || e.High < 1) {
			r.warn(s, l, "the base differs from itself: do not trust this scenario")
		}
	}
}

// widest is how wide an interval may be before it is worth a warning.
const widest = 0.06

func (r *report) warn(s scenario, l *lane, format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf("%s, %s: ", s.title(), l.name)+fmt.Sprintf(format, args...))
}

// print writes the tables and, with asJSON, one line of JSON after them. The
// error says that calls failed.
func (r *report) print(w io.Writer, asJSON bool) error {
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

func (r *report) printRatios(w io.Writer) {
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
func (r *report) cells(in row) string {
	cells := ""
	for _, f := range figures() {
		for _, of := range r.Ratios {
			if !f.shown || of.Metric != f.metric || of.Variant != in.Variant || of.scenario != in.scenario {
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
