package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

// packages are those of limits, each once.
func packages(limits []limit) []string {
	var pkgs []string
	for _, l := range limits {
		pkgs = append(pkgs, l.pkg)
	}
	slices.Sort(pkgs)
	return slices.Compact(pkgs)
}

// judge measures what is limited, prints it, and says what is over its limit.
func judge(ctx context.Context, run runner, limits []limit, benchtime time.Duration, out io.Writer) error {
	if err := sweep(ctx, run, limits, out); err != nil {
		return err
	}
	var all []*measurement
	for _, l := range limits {
		all = append(all, &measurement{limit: l})
	}
	g := meter{run, benchtime, map[side]int{}}
	if err := g.measure(ctx, all); err != nil {
		return err
	}
	list(out, all)
	var errs []error
	for _, m := range all {
		if !m.holds() {
			errs = append(errs, m.err())
		}
	}
	return errors.Join(errs...)
}
