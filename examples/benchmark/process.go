package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/proxies"
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
	proxies.Play()
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
