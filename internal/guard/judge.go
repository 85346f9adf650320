package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
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
	print(out, all)
	var errs []error
	for _, m := range all {
		if !m.holds() {
			errs = append(errs, m.err())
		}
	}
	return errors.Join(errs...)
}

// sweep runs all benchmarks once, and says which of the limited do not exist.
func sweep(ctx context.Context, run runner, limits []limit, out io.Writer) error {
	pkgs := packages(limits)
	found, errs := make([]map[string]result, len(pkgs)), make([]error, len(pkgs))
	var all sync.WaitGroup
	for i, pkg := range pkgs {
		all.Go(func() {
			var printed string
			printed, errs[i] = run(ctx, pkg, 1, ".", "", "1x")
			found[i] = results(printed, 1)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, l := range limits {
		for _, name := range l.benchmarks() {
			if _, ok := found[slices.Index(pkgs, l.pkg)][name]; !ok {
				errs = append(errs, fmt.Errorf("line %d: %s has no benchmark %s, or it has no result", l.line, l.pkg, name))
			}
		}
	}
	n := 0
	for _, f := range found {
		n += len(f)
	}
	fmt.Fprintf(out, "%d benchmarks of %d packages run\n", n, len(pkgs))
	return errors.Join(errs...)
}

func print(out io.Writer, all []*measurement) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "line\tlimited\tsamples\tis\tlimit\theadroom\t")
	for _, m := range all {
		value, most := fmt.Sprintf("%.2f×", m.value()), fmt.Sprintf("%.2f×", m.most)
		if m.kind == allocs {
			value, most = fmt.Sprintf("%v allocs", m.value()), fmt.Sprintf("%v allocs", m.most)
		}
		verdict := ""
		if !m.holds() {
			verdict = "FAILS"
		}
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n", m.line, m.limit, len(m.samples), value, most, m.headroom(), verdict)
	}
	table.Flush()
}

// err says what is wrong, for one who has not seen the limit.
func (m *measurement) err() error {
	if m.kind == allocs {
		return fmt.Errorf("line %d: %s: %v allocations to an operation, allowed are %v: %s", m.line, m.limit, m.value(), m.most, m.reason)
	}
	return fmt.Errorf("line %d: %s is %.3f, the median of %d samples, allowed is %v: %s", m.line, m.limit, m.value(), len(m.samples), m.most, m.reason)
}
