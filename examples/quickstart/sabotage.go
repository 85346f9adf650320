package main

import (
	"context"
	"iter"
	"net"
	"net/http"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
)

// clientOptions switches off what the client's side can do without.
func clientOptions(sabotage string) []transport.Option {
	switch sabotage {
	case "retry":
		return []transport.Option{transport.WithRetry(retry.Policy{MaxAttempts: 1})}
	case "ewma":
		return []transport.Option{transport.WithPolicy(balancer.RoundRobin{})}
	default:
		return nil
	}
}

// frozen is a registry whose watch stops after the first full list, as one
// does that a dropped connection has silenced.
type frozen struct {
	discovery.Registry
	instances int
}

// Local reports true: the quickstart's etcd is a process of its own.
func (f frozen) Local() bool { return true }

func (f frozen) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		for snapshot, err := range f.Registry.Watch(ctx, service) {
			if !yield(snapshot, err) {
				return
			}
			if err == nil && len(snapshot.Instances) >= f.instances {
				<-ctx.Done()
				return
			}
		}
	}
}

// serveForgetful registers once, with etcd's own naming package, and never
// looks again: what many services do.
func serveForgetful(s spec, w *worker) error {
	ctx := context.Background()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Etcd}})
	if err != nil {
		return err
	}
	defer client.Close()
	lease, err := client.Grant(ctx, int64(leaseTTL.Seconds()))
	if err != nil {
		return err
	}
	beats, err := client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return err
	}
	go func() {
		for range beats { // nobody asks why they end
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	naming, err := endpoints.NewManager(client, instancePrefix+s.Service)
	if err != nil {
		return err
	}
	key := instancePrefix + s.Service + "/" + s.ID
	if err := naming.AddEndpoint(ctx, key, endpoints.Endpoint{Addr: listener.Addr().String()}, clientv3.WithLease(lease.ID)); err != nil {
		return err
	}
	if s.Protocol == discovery.HTTP {
		return http.Serve(listener, w)
	}
	server := grpc.NewServer()
	orders.RegisterOrdersServer(server, w)
	return server.Serve(listener)
}
