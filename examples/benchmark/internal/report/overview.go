package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// overview is the ratio of CPU of every variant in every scenario.
func (r *Report) overview() table {
	decides := figures()[0].metric
	t := table{{"scenario"}}
	for _, of := range r.Ratios {
		if of.Metric == decides && !slices.Contains(t[0], of.Variant) {
			t[0] = append(t[0], of.Variant)
		}
	}
	for i := range r.groups {
		g := &r.groups[i]
		cells := []string{g.Title()}
		for _, variant := range t[0][1:] {
			said := "–"
			for _, of := range g.ratios {
				if of.Metric == decides && of.Variant == variant {
					said = of.text(3)
				}
			}
			cells = append(cells, said)
		}
		t.add(cells...)
	}
	return t
}

// hop says what the cheapest proxy adds to a request, and what the others add; ""
// where there is no proxy.
func (g *group) hop() string {
	var proxied []Comparison
	var inside []string
	for _, of := range g.added {
		i := slices.IndexFunc(g.rows, func(r Row) bool { return r.Variant == of.Variant })
		switch {
		case of.Variant == Again, slices.ContainsFunc(g.lanes, func(l *Lane) bool { return l.Base == of.Variant }):
		case g.rows[i].ProxyCPU > 0:
			proxied = append(proxied, of)
		default:
			inside = append(inside, of.Variant+" "+of.text(1))
		}
	}
	if len(proxied) == 0 {
		return ""
	}
	cheapest := slices.MinFunc(proxied, func(a, b Comparison) int { return cmp.Compare(a.Median, b.Median) })
	said := fmt.Sprintf("The cheapest way through a proxy is %s: it adds %s µs of CPU to a request of %s.", cheapest.Variant, cheapest.text(1), cheapest.Base)
	if len(inside) > 0 {
		said += " Without a proxy, added µs are: " + strings.Join(inside, ", ") + "."
	}
	return said
}

// facts are those of the environment.
func (r *Report) facts() table {
	e := r.Environment
	t := table{{"fact", "value"}, {"Go", e.Go}, {"system", e.System}, {"kernel", e.Kernel}, {"CPU", fmt.Sprintf("%d cores of %s", e.Cores, e.CPU)}, {"load average before", e.Load}}
	for _, path := range slices.Sorted(maps.Keys(e.Modules)) {
		t.add(path, e.Modules[path])
	}
	return t
}
