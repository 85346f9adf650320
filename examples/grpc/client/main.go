// Client calls the gRPC service of examples/grpc/server, wherever its
// instances are:
//
//	go run ./examples/grpc/client -etcd 127.0.0.1:2379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

func main() {
	endpoints := flag.String("etcd", "127.0.0.1:2379", "comma-separated `endpoints` of etcd")
	flag.Parse()
	if err := run(strings.Split(*endpoints, ",")); err != nil {
		log.Fatal(explain(err))
	}
}

func run(endpoints []string) error {
	mesh, err := transport.Open(etcd.Config{Client: clientv3.Config{Endpoints: endpoints}})
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())

	// The client of an existing program. Two lines change: the target, and the
	// options that follow the program's own.
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	options = append(options, fairgrpc.DialOptions(mesh)...)
	conn, err := grpc.NewClient("mesh:///orders", options...)
	if err != nil {
		return err
	}
	defer conn.Close()

	// A signal cancels what is in flight.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return call(ctx, orders.NewOrdersClient(conn))
}

func call(ctx context.Context, client orders.OrdersClient) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for id := range 3 {
		order, err := client.Get(ctx, &orders.GetRequest{Id: fmt.Sprint(id)})
		if err != nil {
			return err
		}
		fmt.Printf("order %s, says instance %s\n", order.GetId(), order.GetInstance())
	}

	// What is said of a call goes into its context. This order has its name
	// from us: placing it twice is the same as once, so fairlead may try again
	// where it cannot know whether the first attempt was executed. Of Get it
	// knows that by the proto file. The key says which calls belong together,
	// for policies that keep them on one instance.
	ctx = transport.WithCall(ctx, transport.Idempotent(true), transport.Key("customer-7"))
	order, err := client.Place(ctx, &orders.PlaceRequest{Item: "a lamp", Note: []byte("7-1")})
	if err != nil {
		return err
	}
	fmt.Printf("order %s is now %s, says instance %s\n", order.GetId(), order.GetItem(), order.GetInstance())
	return nil
}

// explain tells the server's own answer from a call that got none.
func explain(err error) string {
	e, ok := errors.AsType[*transport.Error](err)
	switch {
	case !ok:
		return fmt.Sprintf("answered with %s: %v", status.Code(err), err)
	case e.MaybeExecuted:
		return fmt.Sprintf("%s may have done it, instance %s did not answer: %v", e.Service, e.Instance, err)
	default:
		return fmt.Sprintf("%s has surely not done it, failed at stage %q: %v", e.Service, e.Stage, err)
	}
}
