package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/pprof"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
)

// call is the life of a client process: one run.
func call(stdin io.Reader, stdout io.Writer) (err error) {
	var a client.Assignment
	if err := json.NewDecoder(stdin).Decode(&a); err != nil {
		return err
	}
	c, err := a.Dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
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
	m, err := load.Closed{
		Worker: c.Worker, Concurrency: a.Scenario.Concurrency, Warmup: a.Warmup, Duration: a.Duration, Processes: a.Servers,
	}.Run(context.Background())
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(m)
}
