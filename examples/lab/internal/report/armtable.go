package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// ArmTable writes what features change, for people.
func ArmTable(to io.Writer, all []Arm) error {
	out := tabwriter.NewWriter(to, 0, 8, 2, ' ', tabwriter.AlignRight)
	scenario, feature := "", ""
	for i, g := range bySeed(all) {
		a := &g[0]
		if i == 0 || a.Scenario != scenario || a.Feature != feature {
			scenario, feature = a.Scenario, a.Feature
			if err := out.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(to, "\n%s, without and with: %s\n", scenario, feature)
			fmt.Fprintln(out, "policy\t\tp50 ms\tp99 ms\tp99.9 ms\terrors\tattempts\texecutions\thedges\tbad share\tnormal after s\t")
		}
		n := len(g)
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", a.Policy, a.arm(),
			g.over(func(a *Arm) float64 { return a.P50 }).text(1, n), g.over(func(a *Arm) float64 { return a.P99 }).text(1, n),
			g.over(func(a *Arm) float64 { return a.P999 }).text(1, n), g.over(func(a *Arm) float64 { return a.Errors }).text(5, n),
			g.over(func(a *Arm) float64 { return a.Attempts }).text(3, n), g.over(func(a *Arm) float64 { return a.Executions }).text(3, n),
			g.over(func(a *Arm) float64 { return a.Hedges }).text(4, n), g.badShare(), g.recovered())
	}
	return out.Flush()
}

func (a *Arm) arm() string {
	if a.With {
		return "with"
	}
	return "without"
}
