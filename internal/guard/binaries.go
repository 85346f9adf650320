package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// runner runs the benchmarks of a package that match, and returns what they print.
type runner func(ctx context.Context, pkg string, cpus int, match, skip, benchtime string) (string, error)

// compile makes the test binaries of packages, by directories below root, into dir.
func compile(ctx context.Context, root, dir string, pkgs []string) (runner, error) {
	args := []string{"test", "-c", "-o", dir + string(filepath.Separator)}
	for _, pkg := range pkgs {
		args = append(args, "./"+pkg)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return func(ctx context.Context, pkg string, cpus int, match, skip, benchtime string) (string, error) {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, filepath.Base(pkg)+".test"),
			"-test.run=^$", "-test.bench="+match, "-test.skip="+skip, "-test.benchtime="+benchtime,
			"-test.cpu="+strconv.Itoa(cpus), "-test.benchmem", "-test.timeout=2m")
		cmd.Dir = filepath.Join(root, pkg) // as go test does
		var stderr strings.Builder
		cmd.Stderr = &stderr
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: benchmarks %s: %w\n%s%s", pkg, match, err, out, stderr.String())
		}
		return string(out), nil
	}, nil
}

// only matches one benchmark; deeper matches those within it.
func only(name string) (match, deeper string) {
	elements := strings.Split(name, "/")
	for i, e := range elements {
		elements[i] = "^" + regexp.QuoteMeta(e) + "$"
	}
	match = strings.Join(elements, "/")
	return match, match + "/."
}
