package main

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

// fleet is a process with servers, which ends with its standard input.
type fleet struct {
	*process
	places target.Places
}

// startFleet starts the process and waits until its servers listen.
func startFleet(ctx context.Context, s target.Settings) (*fleet, error) {
	p, err := start(ctx, serverRole)
	if err != nil {
		return nil, err
	}
	f := &fleet{process: p}
	if err = p.in.Encode(s); err == nil {
		err = p.out.Decode(&f.places)
	}
	if err != nil {
		f.stop()
		return nil, fmt.Errorf("server process: %w", err)
	}
	return f, nil
}

func (f *fleet) pid() int { return f.Process.Pid }

// site is where clients call the servers themselves.
func (f *fleet) site(unix bool, protocol string) site {
	places := f.places.TCP
	if unix {
		places = f.places.Unix
	}
	return site{addrs: places[protocol], processes: load.Processes{Servers: []int{f.pid()}}}
}

// stop ends the process. How it ended does not matter any more.
func (f *fleet) stop() error {
	f.hold.Close()
	f.Wait()
	return nil
}
