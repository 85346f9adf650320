package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// group is what belongs to one scenario.
type group struct {
	scenario.Scenario
	lanes           []*Lane
	rows            []Row // of the lanes, in their order
	ratios          []Comparison
	added, pairwise []Comparison
}

// column is one of the table of rows.
type column struct {
	title    string
	terminal bool // there, too: it is narrow
	of       func(g *group, lane int) string
	// matters says whether a row has anything to say here; nil: all have.
	matters func(Row) bool
}

func columns() []column {
	row := func(digits int, of func(Row) float64) func(*group, int) string {
		return func(g *group, lane int) string { return fixed(of(g.rows[lane]), digits) }
	}
	runs := func(of func(load.Measurement) float64) func(*group, int) string {
		return func(g *group, lane int) string { return fixed(medianOf(g.lanes[lane].Runs, of), 2) }
	}
	open := func(r Row) bool { return r.Rate > 0 }
	proxied := func(r Row) bool { return r.ProxyCPU > 0 }
	return []column{
		{"req/s", true, row(0, func(r Row) float64 { return r.RPS }), nil},
		{"p50 µs", true, row(0, func(r Row) float64 { return r.P50 }), nil},
		{"p99 µs", true, row(0, func(r Row) float64 { return r.P99 }), nil},
		{"p99.9 µs", true, row(0, func(r Row) float64 { return r.P999 }), nil},
		{"at req/s", true, row(0, func(r Row) float64 { return r.Rate }), open},
		{"CPU µs/req", true, row(2, func(r Row) float64 { return r.CPU }), nil},
		{"client", false, runs(load.Measurement.ClientCPUPerCall), nil},
		{"servers", false, runs(serverCPU), nil},
		{"proxies", true, row(2, func(r Row) float64 { return r.ProxyCPU }), proxied},
		{"req/s per proxy core", false, row(0, func(r Row) float64 { return r.ProxyRPSPerCore }), proxied},
		{"RSS MB", true, row(0, func(r Row) float64 { return r.RSS }), nil},
		{"allocs", true, row(1, func(r Row) float64 { return r.ClientAllocs }), nil},
		{"errors", true, func(g *group, lane int) string { return strconv.FormatInt(g.rows[lane].Errors, 10) }, nil},
	}
}

// figures are the rows.
func (g *group) figures(terminal bool) table {
	t := table{{"variant"}}
	for i := range g.rows {
		t.add(g.rows[i].Variant)
	}
	for _, c := range columns() {
		if terminal && !c.terminal || c.matters != nil && !slices.ContainsFunc(g.rows, c.matters) {
			continue
		}
		t[0] = append(t[0], c.title)
		for i, r := range g.rows {
			said := "–"
			if c.matters == nil || c.matters(r) {
				said = c.of(g, i)
			}
			t[i+1] = append(t[i+1], said)
		}
	}
	return t
}

// comparisons are the ratios of each lane to its base.
func (g *group) comparisons(terminal bool) table {
	fs := slices.DeleteFunc(figures(), func(f figure) bool { return terminal && !f.terminal })
	head := []string{"variant"}
	for i, f := range fs {
		if head = append(head, f.title); i == 0 {
			head = append(head, "added µs")
		}
	}
	t := table{head}
	for _, l := range g.lanes {
		base := baseOf(l, g.lanes)
		if base == nil || base == l {
			continue
		}
		cells := []string{l.Name}
		if base != g.lanes[0] {
			cells[0] += " ÷ " + base.Name
		}
		for i, f := range fs {
			if cells = append(cells, cell(g.ratios, l.Name, base.Name, f.metric, 3)); i == 0 {
				cells = append(cells, cell(g.added, l.Name, base.Name, f.metric, 1))
			}
		}
		t.add(cells...)
	}
	return t
}

// matrix is the CPU of each lane ÷ that of each other.
func (g *group) matrix() table {
	t := table{{"÷"}}
	for _, l := range g.lanes {
		t[0] = append(t[0], l.Name)
		cells := []string{l.Name}
		for _, other := range g.lanes {
			said := unknown
			if e, known := compare(l.Runs, other.Runs, figures()[0].of, ratio); l == other {
				said = "1"
			} else if known {
				said = e.text(2)
			}
			cells = append(cells, said)
		}
		t.add(cells...)
	}
	return t
}

const unknown = "unknown"

// cell is what a list says of a variant and a base.
func cell(list []Comparison, variant, base, metric string, digits int) string {
	for _, of := range list {
		if of.Variant == variant && of.Base == base && of.Metric == metric {
			return of.text(digits)
		}
	}
	return unknown
}

// text is the median and the interval.
func (e Estimate) text(digits int) string {
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, e.Median, digits, e.Low, digits, e.High)
}

func fixed(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
