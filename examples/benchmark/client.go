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
	s, err := load.Closed{
		Worker: c.Worker, Concurrency: a.Scenario.Concurrency, Warmup: a.Warmup, Duration: a.Duration,
		Processes: load.Processes{Servers: a.Servers, Proxies: a.Proxies},
	}.Run(context.Background())
	if err != nil {
		return err
	}
	if a.Rate > 0 {
		open, err := load.Open{
			Worker: c.Worker, Workers: a.Scenario.InFlight(), Rate: a.Rate, Warmup: a.Warmup / 2, Duration: a.Open, Seed: a.Seed,
		}.Run(context.Background())
		if err != nil {
			return err
		}
		s = s.Under(open)
	}
	return json.NewEncoder(stdout).Encode(s)
}
