package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// TrialTable writes what came of trials, for people. All but the attempts is of the
// time of trouble, if nothing else is said.
func TrialTable(to io.Writer, all []Trial) error {
	out := tabwriter.NewWriter(to, 0, 8, 2, ' ', tabwriter.AlignRight)
	scenario, trial := "", ""
	for i, g := range trialsBySeed(all) {
		t := &g[0]
		if i == 0 || t.Scenario != scenario || t.Trial != trial {
			scenario, trial = t.Scenario, t.Trial
			if err := out.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(to, "\n%s, %s: of which there are %.0f calls a second\n", scenario, trial, t.Capacity)
			fmt.Fprintln(out, "policy\tlimits\tgoodput\tnot sent\trefused\tfailed\tcritical\tdefault\tsheddable\tp99 before ms\tin it\tafter\tattempts\tnormal after s\t")
		}
		n := len(g)
		share := func(of func(*Class) float64) string {
			return g.over(func(t *Trial) float64 { return t.share(of) }).text(3, n)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", t.Policy, t.Arm, g.over(func(t *Trial) float64 { return t.Goodput }).text(3, n),
			share(func(c *Class) float64 { return c.Withheld }), share(func(c *Class) float64 { return c.Refused }), share(func(c *Class) float64 { return c.Failed }),
			g.well(ratelimit.Critical), g.well(ratelimit.Default), g.well(ratelimit.Sheddable),
			g.over(func(t *Trial) float64 { return t.Before }).text(0, n), g.over(func(t *Trial) float64 { return t.During }).text(0, n),
			g.over(func(t *Trial) float64 { return t.After }).text(0, n), g.over(func(t *Trial) float64 { return t.AttemptsPerCall }).text(2, n), g.recovered())
	}
	return out.Flush()
}
