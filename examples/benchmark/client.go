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

// word is what a client process and its parent tell each other before a run.
type word string

const (
	ready word = "ready" // the client
	begin word = "begin" // its parent, to all clients of a run at once
)

// call is the life of a client process: one run.
func call(stdin io.Reader, stdout io.Writer) (err error) {
	in, out := json.NewDecoder(stdin), json.NewEncoder(stdout)
	var a client.Assignment
	if err := in.Decode(&a); err != nil {
		return err
	}
	c, err := a.Dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var w word
	if err := errors.Join(out.Encode(ready), in.Decode(&w)); err != nil {
		return err
	}
	found, err := measure(a, c)
	if err != nil {
		return err
	}
	return out.Encode(found)
}

// measure finds in a closed loop what calls cost and, where a rate is given, in an
// open one how long they take.
func measure(a client.Assignment, c client.Caller) (load.Share, error) {
	closed := load.Closed{
		Worker: c.Worker, Concurrency: a.Scenario.Concurrency, Warmup: a.Warmup, Duration: a.Duration,
		Processes: load.Processes{Servers: a.Servers, Proxies: a.Proxies},
	}
	stop, err := profile(a.Profile)
	if err != nil {
		return load.Share{}, err
	}
	found, err := closed.Run(context.Background())
	if err := errors.Join(err, stop()); err != nil || a.Rate == 0 {
		return found, err
	}
	open, err := load.Open{
		Worker: c.Worker, Workers: a.Scenario.InFlight(), Rate: a.Rate, Warmup: a.Warmup, Duration: a.Open, Seed: a.Seed,
	}.Run(context.Background())
	return found.Under(open), err
}

// profile begins one of the CPU, which ends with stop, as does one of allocations.
func profile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	cpu, err := os.Create(file + ".cpu.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(file + ".allocs.pprof")
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close(), cpu.Close())
	}, nil
}
