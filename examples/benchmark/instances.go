package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/examples/orders"
)

// fleet is how many instances there are.
const fleet = 4

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
	if err := json.NewDecoder(stdout).Decode(&all.addrs); err != nil {
		all.stop()
		return nil, fmt.Errorf("server process: %w", err)
	}
	return all, nil
}

func (all *instances) stop() {
	all.hold.Close()
	all.child.Wait()
}

// serve is the life of the server process: until its standard input ends, as
// it does with its parent. It prints where the instances listen.
func serve(stdin io.Reader, stdout io.Writer) error {
	addrs := map[string][]string{}
	ended := make(chan error, 2*fleet+1) // by goroutines that end with the process
	for range fleet {
		forHTTP, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		forGRPC, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := grpc.NewServer()
		orders.RegisterOrdersServer(s, echo{})
		go func() { ended <- s.Serve(forGRPC) }()
		go func() { ended <- http.Serve(forHTTP, http.HandlerFunc(echoHTTP)) }()
		addrs[http1] = append(addrs[http1], forHTTP.Addr().String())
		addrs[grpc1] = append(addrs[grpc1], forGRPC.Addr().String())
	}
	if err := json.NewEncoder(stdout).Encode(addrs); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, stdin)
		ended <- nil
	}()
	return <-ended
}

// echoHTTP answers with what it got.
func echoHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Write(body)
}

// echo answers with what it got.
type echo struct {
	orders.UnimplementedOrdersServer
}

func (echo) Place(_ context.Context, r *orders.PlaceRequest) (*orders.Order, error) {
	if len(r.GetNote()) == 0 {
		return nil, errors.New("nothing to echo")
	}
	return &orders.Order{Note: r.GetNote()}, nil
}
