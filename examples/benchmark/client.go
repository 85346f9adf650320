package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"
)

// assignment is all that a client process is told.
type assignment struct {
	Variant          string
	Scenario         scenario
	Addrs            []string // of the instances
	Servers          []int    // processes whose CPU counts, too
	Warmup, Duration time.Duration
	Profile          string // file, "" for none
}

// measurement is all that it answers.
type measurement struct {
	Calls, Errors  int64
	FirstError     string
	Elapsed        time.Duration
	CPU            time.Duration // of all processes; 0 where that is unknown
	ClientCPU      time.Duration
	RSS            int64 // bytes of all processes; 0 where that is unknown
	Allocs         uint64
	P50, P99, P999 time.Duration
}

// client is the life of a client process: one run.
func client(stdin io.Reader, stdout io.Writer) (err error) {
	var a assignment
	if err := json.NewDecoder(stdin).Decode(&a); err != nil {
		return err
	}
	open := dial(a.Variant, a.Scenario.Protocol)
	if open == nil {
		return fmt.Errorf("variant %q does not speak %s", a.Variant, a.Scenario.Protocol)
	}
	c, err := open(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if a.Profile != "" {
		f, err := os.Create(a.Profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	m, err := load{
		call: c.call, concurrency: a.Scenario.Concurrency, warmup: a.Warmup, duration: a.Duration, servers: a.Servers,
	}.run(context.Background())
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(m)
}
