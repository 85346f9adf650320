package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

const (
	service          = "orders"
	instanceVariable = "FAIRLEAD_CANARY_INSTANCE" // set in a child to its spec
	serviceTime      = 5 * time.Millisecond
	leaseTTL         = 10 * time.Second // the shortest that is allowed
)

// spec is what an instance's process is told.
type spec struct{ ID, Version, Etcd string }

// instanceMain turns the process into an instance if it is such a child; it
// then never returns.
func instanceMain() {
	raw := os.Getenv(instanceVariable)
	if raw == "" {
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	go func() { // the parent holds the other end: when it dies, so does this
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var s spec
	err := json.Unmarshal([]byte(raw), &s)
	if err == nil {
		err = s.serve(context.Background())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "instance %s: %v\n", s.ID, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs an HTTP and a gRPC server as one instance of orders.
func (s spec) serve(ctx context.Context) error {
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: []string{s.Etcd}}, TTL: leaseTTL})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())

	var listeners [2]net.Listener
	for n := range listeners {
		if listeners[n], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	overHTTP, err := fairhttp.Server(&http.Server{Handler: s}, listeners[0])
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	orders.RegisterOrdersServer(server, business{spec: s})
	overGRPC, err := fairgrpc.Server(server, listeners[1])
	if err != nil {
		return err
	}
	return transport.Serve(ctx, mesh, discovery.Instance{ID: s.ID, Service: service, Version: s.Version}, transport.ServeConfig{}, overHTTP, overGRPC)
}

// ServeHTTP takes its time and says which version answered.
func (s spec) ServeHTTP(out http.ResponseWriter, _ *http.Request) {
	time.Sleep(serviceTime)
	io.WriteString(out, s.Version)
}

// business is the same over gRPC.
type business struct {
	orders.UnimplementedOrdersServer
	spec
}

func (b business) Get(_ context.Context, in *orders.GetRequest) (*orders.Order, error) {
	time.Sleep(serviceTime)
	return &orders.Order{Id: in.Id, Instance: b.Version}, nil
}

// process is an instance that runs.
type process struct {
	spec
	cmd *exec.Cmd
}

func (s spec) start() (*process, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), instanceVariable+"="+string(raw))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // closes when this process ends
		return nil, err
	}
	return &process{s, cmd}, cmd.Start()
}

// kill ends the process without a word to anybody.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
