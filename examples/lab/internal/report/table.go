package report

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Table writes the rows for people: for several seeds their means, with what is
// to be added and taken away for an interval of 95 %.
func Table(to io.Writer, rows []Row) error {
	out := tabwriter.NewWriter(to, 0, 8, 2, ' ', tabwriter.AlignRight)
	var last group
	for i, r := range Intervals(rows) {
		if g := (group{r.Scenario, r.Clients, r.Load}); i == 0 || g != last {
			last = g
			if err := out.Flush(); err != nil {
				return err
			}
			clients := "clients"
			if r.Clients == 1 {
				clients = "client"
			}
			fmt.Fprintf(to, "\n%s, %d %s, load %g\n", r.Scenario, r.Clients, clients, r.Load)
			fmt.Fprintln(out, "policy\tp50 ms\tp99 ms\tp99.9 ms\tp99÷oracle\tmax÷mean\terrors\tbad share\tconnections\tattempts\t")
		}
		ratio, share := "-", "-"
		if r.P99Oracle != nil {
			ratio = r.P99Oracle.text(2, r.Seeds)
		}
		if r.BadShare != nil {
			share = r.BadShare.text(3, r.Seeds)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t\n", r.Policy, r.P50.text(1, r.Seeds), r.P99.text(1, r.Seeds), r.P999.text(1, r.Seeds),
			ratio, r.MaxOverMean.text(2, r.Seeds), r.Errors.text(5, r.Seeds), share, r.Connections.Mean, r.AttemptsPerCall.text(3, r.Seeds))
	}
	return out.Flush()
}

func (e Estimate) text(digits, seeds int) string {
	if seeds < 2 {
		return fmt.Sprintf("%.*f", digits, e.Mean)
	}
	return fmt.Sprintf("%.*f ±%.*f", digits, e.Mean, digits, e.High-e.Mean)
}

// JSON writes everything in one line. Intervals are there if there are several
// seeds.
func JSON(to io.Writer, rows []Row, arms []Arm, trials []Trial) error {
	all := struct {
		Rows      []Row      `json:"rows"`
		Intervals []Interval `json:"intervals,omitempty"`
		Features  []Arm      `json:"features,omitempty"`
		Limits    []Trial    `json:"limits,omitempty"`
	}{Rows: rows, Features: arms, Limits: trials}
	for _, r := range rows {
		if r.Seed != rows[0].Seed {
			all.Intervals = Intervals(rows)
			break
		}
	}
	return json.NewEncoder(to).Encode(all)
}
