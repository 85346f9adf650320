package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/proxies"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/target"
)

// The roles of children, beside that of a proxy.
const (
	serverRole = "server"
	clientRole = "client"
)

// play turns the process into a child if it is one, and then never returns.
func play() {
	proxies.Play()
	var err error
	switch os.Getenv(proxies.RoleVariable) {
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

// process is a child in a role, which is told something and answers, in JSON.
type process struct {
	*exec.Cmd
	hold io.Closer // its standard input
	in   *json.Encoder
	out  *json.Decoder
}

// start starts this program in another role.
func start(ctx context.Context, role string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), proxies.RoleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, cmd.Start()
}
