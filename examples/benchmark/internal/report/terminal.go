package report

import (
	"encoding/json"
	"fmt"
	"io"
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
		g.figures(true).print(w)
		if len(g.ratios) > 0 {
			fmt.Fprintf(w, "  ratios to %s: median of the rounds [interval]; CPU is that of all processes per request, and added to it in µs\n", g.lanes[0].Name)
			g.comparisons(true).print(w)
		}
		for _, in := range g.rows {
			failed += in.Errors
		}
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	if asJSON {
		if err := r.json(w); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d calls failed", failed)
	}
	return nil
}

// json writes one line, with empty lists where there is nothing: readers of JSON
// expect no null.
func (r *Report) json(w io.Writer) error {
	all := *r
	all.Rows, all.Ratios, all.Added, all.Pairwise = list(r.Rows), list(r.Ratios), list(r.Added), list(r.Pairwise)
	all.Proxies, all.Method, all.Warnings = list(r.Proxies), list(r.Method), list(r.Warnings)
	return json.NewEncoder(w).Encode(all)
}

func list[T any](some []T) []T { return append([]T{}, some...) }
