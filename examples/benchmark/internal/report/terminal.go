package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Print writes the tables and, with asJSON, one line of JSON after them. The
// error says that calls failed.
func (r *Report) Print(w io.Writer, asJSON bool) error {
	for _, p := range r.Proxies {
		fmt.Fprintf(w, "%s %s: %s\n", p.Name, p.Version, p.Note)
	}
	failed := int64(0)
	for i := range r.groups {
		g := &r.groups[i]
		fmt.Fprintf(w, "\n%s\n", g.Title())
		g.figures().print(w)
		if len(g.ratios) > 0 {
			fmt.Fprintf(w, "  ratios to %s: median of the rounds [interval]; CPU is that of all processes per request, and added to it in µs\n", g.lanes[0].Name)
			g.comparisons().print(w)
		}
		for _, in := range g.rows {
			failed += in.Errors
		}
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(r.complete()); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d calls failed", failed)
	}
	return nil
}

// complete has empty lists where there is nothing: readers of JSON expect no null.
func (r *Report) complete() Report {
	c := *r
	c.Rows, c.Ratios, c.Added, c.Pairwise = append([]Row{}, r.Rows...), append([]Comparison{}, r.Ratios...), append([]Comparison{}, r.Added...), append([]Comparison{}, r.Pairwise...)
	c.Proxies, c.Method, c.Warnings = append([]Proxy{}, r.Proxies...), append([]string{}, r.Method...), append([]string{}, r.Warnings...)
	return c
}

// figures are the rows. What no row has is no column.
func (g *group) figures() table {
	open := slices.ContainsFunc(g.rows, func(r Row) bool { return r.Rate > 0 })
	proxied := slices.ContainsFunc(g.rows, func(r Row) bool { return r.ProxyCPU > 0 })
	var t table
	head := []string{"variant", "req/s", "p50 µs", "p99 µs", "p99.9 µs"}
	if open {
		head = append(head, "at req/s")
	}
	head = append(head, "CPU µs/req")
	if proxied {
		head = append(head, "proxies'")
	}
	t.add(append(head, "RSS MB", "allocs", "errors")...)
	for _, in := range g.rows {
		cells := []string{in.Variant, fixed(in.RPS, 0), fixed(in.P50, 0), fixed(in.P99, 0), fixed(in.P999, 0)}
		if open {
			cells = append(cells, fixed(in.Rate, 0))
		}
		cells = append(cells, fixed(in.CPU, 2))
		if proxied {
			cells = append(cells, fixed(in.ProxyCPU, 2))
		}
		t.add(append(cells, fixed(in.RSS, 0), fixed(in.ClientAllocs, 1), strconv.FormatInt(in.Errors, 10))...)
	}
	return t
}

func (g *group) comparisons() table {
	var t table
	head := []string{""}
	for i, f := range shown() {
		if head = append(head, f.title); i == 0 {
			head = append(head, "added µs")
		}
	}
	t.add(head...)
	for _, l := range g.lanes {
		base := baseOf(l, g.lanes)
		if base == nil || base == l {
			continue
		}
		name := l.Name
		if base != g.lanes[0] {
			name += " ÷ " + base.Name
		}
		cells := []string{name}
		for i, f := range shown() {
			if cells = append(cells, cell(g.ratios, l.Name, f.metric, 3)); i == 0 {
				cells = append(cells, cell(g.added, l.Name, f.metric, 1))
			}
		}
		t.add(cells...)
	}
	return t
}

// shown are the figures of the terminal.
func shown() []figure {
	return slices.DeleteFunc(figures(), func(f figure) bool { return !f.shown })
}

// cell is what a list says of a variant.
func cell(list []Comparison, variant, metric string, digits int) string {
	for _, of := range list {
		if of.Variant == variant && of.Metric == metric {
			return of.text(digits)
		}
	}
	return "unknown"
}

// text is the median and the interval.
func (e Estimate) text(digits int) string {
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, e.Median, digits, e.Low, digits, e.High)
}

func fixed(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
