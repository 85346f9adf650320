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
				err := o.each(plan, subject, calls, func(seed uint64, r *sim.Result) {
					rows = append(rows, report.NewRow(s.Name, subject.name, max(1, plan.Clients), plan.Traffic.Load, seed, r))
				})
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", s.Name, subject.name, err)
				}
			}
		}
	}
	return rows, nil
}

// arms returns a row for every feature of a scenario, without it and with it.
func (o *options) arms(calls *int64) ([]report.Arm, error) {
	var arms []report.Arm
	for _, s := range o.scenarios {
		for _, f := range s.Features {
			for _, subject := range o.preferred() {
				for i, plan := range []sim.Plan{f.Without, f.With} {
					err := o.each(plan, subject, calls, func(seed uint64, r *sim.Result) {
						arms = append(arms, report.NewArm(s.Name, f.Name, i == 1, subject.name, f.Trouble.From, f.Trouble.Until, seed, r))
					})
					if err != nil {
						return nil, fmt.Errorf("%s, %s, %s: %w", s.Name, f.Name, subject.name, err)
					}
				}
			}
		}
	}
	return arms, nil
}

// trials returns a row for every arm of a trial of a scenario.
func (o *options) trials(calls *int64) ([]report.Trial, error) {
	var rows []report.Trial
	for _, s := range o.scenarios {
		for _, t := range s.Trials {
			for _, subject := range o.preferred() {
				for _, arm := range t.Arms {
					err := o.each(arm.Plan, subject, calls, func(seed uint64, r *sim.Result) {
						row := report.NewRow(s.Name, subject.name, max(1, arm.Plan.Clients), t.Load, seed, r)
						rows = append(rows, report.NewTrial(t.Name, arm.Name, t.Trouble.From, t.Trouble.Until, row))
					})
					if err != nil {
						return nil, fmt.Errorf("%s, %s, %s, %s: %w", s.Name, t.Name, arm.Name, subject.name, err)
					}
				}
			}
		}
	}
	return rows, nil
}

// preferred are the policies that features and limits are played for: the default, or
// those that are asked for. Bounds have none.
func (o *options) preferred() (some []subject) {
	for _, s := range o.subjects {
		if s.Oracle == nil && (o.asked || s.name == preset) {
			some = append(some, s)
		}
	}
	return some
}

// each plays a plan for every seed, and counts the calls that were played.
func (o *options) each(plan sim.Plan, s subject, calls *int64, row func(seed uint64, r *sim.Result)) error {
	for n := range o.seeds {
		seed := o.seed + uint64(n)
		result, err := sim.Run(plan, s.Subject, seed)
		if err != nil {
			return err
		}
		*calls += result.Played
		row(seed, result)
	}
	return nil
}
