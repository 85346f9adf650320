package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
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

const instanceVariable = "FAIRLEAD_QUICKSTART_INSTANCE" // set in a child to its spec

// spec is what an instance's process is told.
type spec struct {
	ID       string
	Service  string
	Protocol discovery.Protocol
	Etcd     string
	Tally    string
	Sabotage string
}

// serviceTime is how long a healthy instance works on a call.
const serviceTime = 20 * time.Millisecond

// instanceMain turns the process into an instance if it is such a child; it
// then never returns.
func instanceMain() {
	raw := os.Getenv(instanceVariable)
	if raw == "" {
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var s spec
	err := json.Unmarshal([]byte(raw), &s)
	if err == nil {
		err = serveInstance(s)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "instance %s: %v\n", s.ID, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveInstance(s spec) error {
	count, err := openTally(s.Tally)
	if err != nil {
		return err
	}
	w := &worker{id: s.ID, tally: count}
	w.slower.Store(1)
	go w.obey(os.Stdin)
	if s.Sabotage == "drain" {
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		go func() { <-terminated; os.Exit(0) }()
	}

	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: []string{s.Etcd}}, TTL: leaseTTL})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())
	if s.Sabotage == "heal" {
		return serveForgetful(s, w)
	}
	instance := discovery.Instance{ID: s.ID, Service: s.Service, Version: "v1"}
	if s.Protocol == discovery.HTTP {
		return fairhttp.Serve(context.Background(), mesh, &http.Server{Addr: "127.0.0.1:0", Handler: w}, instance)
	}
	server := grpc.NewServer()
	orders.RegisterOrdersServer(server, w)
	return fairgrpc.Serve(context.Background(), mesh, server, "127.0.0.1:0", instance)
}

// worker is the business: it takes its time and says who did it.
type worker struct {
	orders.UnimplementedOrdersServer
	id     string
	tally  tally
	slower atomic.Int64
}

func (w *worker) work() {
	w.tally.add()
	time.Sleep(serviceTime * time.Duration(w.slower.Load()))
}

func (w *worker) ServeHTTP(out http.ResponseWriter, _ *http.Request) {
	w.work()
	io.WriteString(out, w.id)
}

func (w *worker) Get(_ context.Context, in *orders.GetRequest) (*orders.Order, error) {
	w.work()
	return &orders.Order{Id: in.Id, Instance: w.id}, nil
}

// obey takes orders from the parent: a line with a number says how many times
// slower to be. When the parent is gone, so is this process.
func (w *worker) obey(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var factor int64
		if _, err := fmt.Sscan(lines.Text(), &factor); err == nil {
			w.slower.Store(factor)
		}
	}
	os.Exit(0)
}
