package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/load"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

// roleVariable tells a child of this program what it is.
const roleVariable = "FAIRLEAD_BENCHMARK_ROLE"

// The roles of children.
const (
	serverRole = "server"
	clientRole = "client"
)

// play turns the process into a child if it is one, and then never returns.
func play() {
	var err error
	switch os.Getenv(roleVariable) {
	case "":
		return
	case serverRole:
		err = target.Serve(os.Stdin, os.Stdout)
	case clientRole:
		err = call(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child prepares this program in another role.
func child(ctx context.Context, role string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// runClient makes one run in a process of its own.
func runClient(ctx context.Context, a client.Assignment) (load.Measurement, error) {
	// Calls have no deadline; a run must.
	ctx, cancel := context.WithTimeout(ctx, a.Warmup+a.Duration+30*time.Second)
	defer cancel()
	cmd, err := child(ctx, clientRole)
	if err != nil {
		return load.Measurement{}, err
	}
	task, err := json.Marshal(a)
	if err != nil {
		return load.Measurement{}, err
	}
	cmd.Stdin = bytes.NewReader(task)
	out, err := cmd.Output()
	if err != nil {
		return load.Measurement{}, fmt.Errorf("client process: %w", err)
	}
	var s load.Share
	if err := json.Unmarshal(out, &s); err != nil {
		return load.Measurement{}, fmt.Errorf("client process said %q: %w", out, err)
	}
	return load.Together(s), nil
}
