// Package target has the servers that are called.
package target

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"

	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/orders"
)

// fleet is how many instances there are.
const fleet = 4

// Serve is the life of the server process: until its standard input ends, as
// it does with its parent. It prints where the instances listen.
func Serve(stdin io.Reader, stdout io.Writer) error {
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
		addrs[scenario.HTTP1] = append(addrs[scenario.HTTP1], forHTTP.Addr().String())
		addrs[scenario.GRPC] = append(addrs[scenario.GRPC], forGRPC.Addr().String())
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
