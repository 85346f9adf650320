package client

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// openMesh returns a mesh that finds the instances in a static list. There is
// no OpenTelemetry SDK: what is measured goes nowhere.
func openMesh(a Assignment, level transport.Level) (*transport.Mesh, error) {
	list, err := discovery.NewStatic(discovery.Addrs("orders", a.Addrs...)...)
	if err != nil {
		return nil, err
	}
	// Each run would tell that its list is live.
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return transport.New(list, transport.WithTelemetry(level), transport.WithLogger(quiet))
}

// fairleadHTTP is the client of [plainHTTP], with the same settings, through a
// mesh.
func fairleadHTTP(level transport.Level) Dialer {
	return func(a Assignment) (Caller, error) {
		mesh, err := openMesh(a, level)
		if err != nil {
			return Caller{}, err
		}
		client := &http.Client{Transport: fairhttp.New(mesh, httpPool(a.Scenario.Concurrency))}
		return Caller{
			Worker: forAll(post(client, "mesh://orders/echo", a.Scenario.Payload)),
			Close:  func() error { return mesh.Close(context.Background()) },
		}, nil
	}
}

// fairleadGRPC is the client of [roundRobinGRPC] through a mesh.
func fairleadGRPC(level transport.Level) Dialer {
	return func(a Assignment) (Caller, error) {
		mesh, err := openMesh(a, level)
		if err != nil {
			return Caller{}, err
		}
		conn, err := grpc.NewClient("mesh:///orders",
			append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			return Caller{}, err
		}
		return Caller{
			Worker: forAll(place(conn, a.Scenario.Payload)),
			Close:  func() error { return errors.Join(conn.Close(), mesh.Close(context.Background())) },
		}, nil
	}
}
