package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// fairlead is the base of each protocol, with the same settings, through a mesh.
func fairlead(name string, level transport.Level) variant {
	return variant{
		name: name, governed: true,
		http: func(a Assignment) (httpClient, error) {
			mesh, err := openMesh(a, discovery.HTTP, level)
			if err != nil {
				return httpClient{}, err
			}
			return httpClient{
				transport: fairhttp.New(mesh, httpPool(a.Scenario)),
				scheme:    fairhttp.Scheme,
				close:     closers{func() error { return mesh.Close(context.Background()) }},
			}, nil
		},
		grpc: func(a Assignment) (grpcClient, error) {
			mesh, err := openMesh(a, discovery.GRPC, level)
			if err != nil {
				return grpcClient{}, err
			}
			conn, err := grpc.NewClient("mesh:///orders",
				append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
			if err != nil {
				return grpcClient{}, errors.Join(err, mesh.Close(context.Background()))
			}
			return grpcClient{conn: conn, close: closers{conn.Close, func() error { return mesh.Close(context.Background()) }}}, nil
		},
	}
}

// openMesh returns a mesh that finds the instances in a static list: no call waits
// for a registry, so where the list came from makes no difference.
func openMesh(a Assignment, p discovery.Protocol, level transport.Level) (*transport.Mesh, error) {
	all, reach := instances(a.Addrs, p)
	list, err := discovery.NewStatic(all...)
	if err != nil {
		return nil, err
	}
	// Each run would tell that its list is live.
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return transport.New(list, transport.WithTelemetry(level), transport.WithLogger(quiet), transport.WithReach(reach))
}

// instances are those at the addresses, and what has to be allowed to call them.
func instances(addrs []string, p discovery.Protocol) (all []discovery.Instance, reach discovery.Reach) {
	for n, addr := range addrs {
		i := discovery.Instance{ID: fmt.Sprint("orders-", n), Service: "orders", Addr: addr}
		if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
			reach.UnixDir = path.Dir(socket)
			// Who cannot reach the socket goes nowhere: nobody listens at port 1.
			i.Addr, i.Endpoints = "127.0.0.1:1", []discovery.Endpoint{{Protocol: p, Addr: addr}}
		}
		all = append(all, i)
	}
	return all, reach
}
