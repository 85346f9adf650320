package client

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// fairlead is the base of each protocol, with the same settings, through a mesh
// that goes by a document.
func fairlead(name string, level transport.Level, document string) variant {
	return variant{
		name: name, governed: true, measured: level != transport.Off,
		http: func(a Assignment, sdk telemetry) (httpClient, error) {
			mesh, err := openMesh(a, discovery.HTTP, level, sdk, document)
			if err != nil {
				return httpClient{}, err
			}
			door := fairhttp.New(mesh, httpPool(a.Scenario))
			return httpClient{
				transport: door,
				scheme:    fairhttp.Scheme,
				close:     closers{func() error { door.CloseIdleConnections(); return nil }, closing(mesh)},
			}, nil
		},
		grpc: func(a Assignment, sdk telemetry) (grpcClient, error) {
			mesh, err := openMesh(a, discovery.GRPC, level, sdk, document)
			if err != nil {
				return grpcClient{}, err
			}
			conn, err := grpc.NewClient("mesh:///orders",
				append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
			if err != nil {
				return grpcClient{close: closers{closing(mesh)}}, err
			}
			return grpcClient{conn: conn, close: closers{conn.Close, closing(mesh)}}, nil
		},
	}
}

func closing(m *transport.Mesh) func() error {
	return func() error { return m.Close(context.Background()) }
}

// openMesh returns a mesh that finds the instances in a static list: no call waits
// for a registry, so where the list came from makes no difference. Its rules are in
// force. What it measures goes to the SDK that the other variants have.
func openMesh(a Assignment, p discovery.Protocol, level transport.Level, sdk telemetry, document string) (*transport.Mesh, error) {
	all, reach := instances(a.Addrs, p)
	// Each run would tell that its list is live.
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	options := []transport.Option{transport.WithTelemetry(level), transport.WithLogger(quiet), transport.WithReach(reach)}
	if sdk.meters != nil {
		options = append(options, transport.WithMeterProvider(sdk.meters), transport.WithTracerProvider(sdk.tracers))
	}
	if document != "" {
		label(all)
		options = append(options, transport.WithLocality(region, zone))
	}
	rules, err := rulesOf(a, document)
	if err != nil {
		return nil, err
	}
	if rules != nil {
		options = append(options, transport.WithRules(rules))
	}
	list, err := discovery.NewStatic(all...)
	if err != nil {
		return nil, err
	}
	mesh, err := transport.New(list, options...)
	if err != nil || rules == nil {
		return mesh, err
	}
	if err := inForce(mesh, p); err != nil {
		return nil, errors.Join(err, mesh.Close(context.Background()))
	}
	return mesh, nil
}
