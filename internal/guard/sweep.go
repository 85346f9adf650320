package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

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
