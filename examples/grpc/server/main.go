// Server is a gRPC service that clients find through etcd. Start several:
//
//	go run ./examples/grpc/server -etcd 127.0.0.1:2379
//
// On SIGTERM or Ctrl-C it leaves without a caller seeing an error.
package main

import (
	"context"
	"flag"
	"log"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

func main() {
	endpoints := flag.String("etcd", "127.0.0.1:2379", "comma-separated `endpoints` of etcd")
	addr := flag.String("addr", "127.0.0.1:0", "`address` to listen on")
	flag.Parse()
	if err := run(strings.Split(*endpoints, ","), *addr); err != nil {
		log.Fatal(err)
	}
}

func run(endpoints []string, addr string) error {
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: endpoints}})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())

	instance := discovery.Instance{Service: "orders", ID: discovery.NewID(), Version: "v1"}
	srv := grpc.NewServer()
	orders.RegisterOrdersServer(srv, service{instance: instance.ID})

	// In place of net.Listen and srv.Serve: it listens, registers, and on the
	// way out drains before it stops.
	return fairgrpc.Serve(context.Background(), mesh, srv, addr, instance)
}

type service struct {
	orders.UnimplementedOrdersServer
	instance string
}

func (s service) Get(_ context.Context, r *orders.GetRequest) (*orders.Order, error) {
	return &orders.Order{Id: r.GetId(), Item: "a lamp", State: "packed", Instance: s.instance}, nil
}

// Place lets the caller name the order in the note.
func (s service) Place(_ context.Context, r *orders.PlaceRequest) (*orders.Order, error) {
	return &orders.Order{Id: string(r.GetNote()), Item: r.GetItem(), State: "placed", Instance: s.instance}, nil
}
