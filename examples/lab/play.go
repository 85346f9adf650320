package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/fairlead-go/fairlead/examples/lab/internal/report"
	"github.com/fairlead-go/fairlead/examples/lab/internal/sim"
)

// play returns a row for every scenario, setting, policy and seed, and counts the
// calls that were played.
func (o *options) play(stderr io.Writer, calls *int64) ([]report.Row, error) {
	var rows []report.Row
	for _, s := range o.scenarios {
		fmt.Fprintf(stderr, "%s: %s\n", s.Name, s.About)
		for _, plan := range s.Plans() {
			for _, subject := range o.subjects {
				if !o.asked && slices.Contains(s.Without, subject.name) {
					continue
				}
				for n := range o.seeds {
					seed := o.seed + uint64(n)
					result, err := sim.Run(plan, subject.Subject, seed)
					if err != nil {
						return nil, fmt.Errorf("%s, %s: %w", s.Name, subject.name, err)
					}
					*calls += result.Played
					rows = append(rows, report.NewRow(s.Name, subject.name, max(1, plan.Clients), plan.Traffic.Load, seed, result))
				}
			}
		}
	}
	return rows, nil
}

// arms returns a row for every feature of a scenario, without it and with it, for
// the default policy or those that are asked for. Bounds have no features.
func (o *options) arms(calls *int64) ([]report.Arm, error) {
	var arms []report.Arm
	for _, s := range o.scenarios {
		for _, f := range s.Features {
			for _, subject := range o.subjects {
				if subject.Oracle != nil || !o.asked && subject.name != preset {
					continue
				}
				for i, plan := range []sim.Plan{f.Without, f.With} {
					for n := range o.seeds {
						seed := o.seed + uint64(n)
						result, err := sim.Run(plan, subject.Subject, seed)
						if err != nil {
							return nil, fmt.Errorf("%s, %s, %s: %w", s.Name, f.Name, subject.name, err)
						}
						*calls += result.Played
						arms = append(arms, report.NewArm(s.Name, f.Name, i == 1, subject.name, f.Trouble.From, f.Trouble.Until, seed, result))
					}
				}
			}
		}
	}
	return arms, nil
}
