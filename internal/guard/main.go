// Command guard compares benchmarks of hot paths with their lower bounds and plain
// counterparts, run in turn on the same machine, and fails where one is slower than
// limits.txt allows, or allocates more. It runs all other benchmarks of these
// packages once, to see that they run. Its place is the root of the module.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	limits := flag.String("limits", "internal/guard/limits.txt", "`file` of limits")
	benchtime := flag.Duration("benchtime", 30*time.Millisecond, "CPU `time` that a benchmark takes in a round")
	flag.Parse()
	if err := guard(ctx, ".", *limits, *benchtime, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "guard:", err)
		os.Exit(1)
	}
}

// guard holds packages below root to the limits of a file.
func guard(ctx context.Context, root, file string, benchtime time.Duration, out io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	limits, err := parse(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	dir, err := os.MkdirTemp("", "guard-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	run, err := compile(ctx, root, dir, packages(limits))
	if err != nil {
		return err
	}
	if err := judge(ctx, run, limits, benchtime, out); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
