package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

// fleet is a process with servers.
type fleet struct {
	child  *exec.Cmd
	hold   io.Closer // its standard input: closing it ends the process
	places target.Places
}

// startFleet starts the process and waits until its servers listen.
func startFleet(ctx context.Context, s target.Settings) (*fleet, error) {
	cmd, err := child(ctx, serverRole)
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &fleet{child: cmd, hold: stdin}
	err = json.NewEncoder(stdin).Encode(s)
	if err == nil {
		err = json.NewDecoder(stdout).Decode(&f.places)
	}
	if err != nil {
		f.stop()
		return nil, fmt.Errorf("server process: %w", err)
	}
	return f, nil
}

func (f *fleet) pid() int { return f.child.Process.Pid }

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
	f.child.Wait()
	return nil
}
