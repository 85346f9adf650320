package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

// instances are the servers, the same for all variants.
type instances struct {
	child *exec.Cmd
	hold  io.Closer // its standard input: closing it ends the process
	addrs map[string][]string
}

// startInstances starts the process of the servers and waits until they
// listen.
func startInstances(ctx context.Context) (*instances, error) {
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
	all := &instances{child: cmd, hold: stdin}
	err = json.NewEncoder(stdin).Encode(target.Settings{})
	var at target.Places
	if err == nil {
		err = json.NewDecoder(stdout).Decode(&at)
	}
	if err != nil {
		all.stop()
		return nil, fmt.Errorf("server process: %w", err)
	}
	all.addrs = at.TCP
	return all, nil
}

func (all *instances) stop() {
	all.hold.Close()
	all.child.Wait()
}
