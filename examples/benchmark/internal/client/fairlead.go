package client

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// fairlead is the base of each protocol, with the same settings, through a mesh
// that goes by a document.
func fairlead(name string, level transport.Level, document string) variant {
	return variant{
		name: name, governed: true,
		http: func(a Assignment) (httpClient, error) {
			mesh, end, err := openMesh(a, discovery.HTTP, level, document)
			if err != nil {
				return httpClient{}, err
			}
			return httpClient{transport: fairhttp.New(mesh, httpPool(a.Scenario)), scheme: fairhttp.Scheme, close: end}, nil
		},
		grpc: func(a Assignment) (grpcClient, error) {
			mesh, end, err := openMesh(a, discovery.GRPC, level, document)
			if err != nil {
				return grpcClient{}, err
			}
			conn, err := grpc.NewClient("mesh:///orders",
				append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
			if err != nil {
				return grpcClient{}, errors.Join(err, end.Close())
			}
			return grpcClient{conn: conn, close: append(closers{conn.Close}, end...)}, nil
		},
	}
}

// openMesh returns a mesh that finds the instances in a static list: no call waits
// for a registry, so where the list came from makes no difference. Its rules are in
// force. What it measures goes to the SDK that the other variants have.
func openMesh(a Assignment, p discovery.Protocol, level transport.Level, document string) (_ *transport.Mesh, end closers, err error) {
	all, reach := instances(a.Addrs, p)
	// Each run would tell that its list is live.
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	options := []transport.Option{transport.WithTelemetry(level), transport.WithLogger(quiet), transport.WithReach(reach)}
	if document != "" {
		label(all)
		options = append(options, transport.WithLocality(region, zone))
	}
	list, err := discovery.NewStatic(all...)
	if err != nil {
		return nil, nil, err
	}
	policy, err := policyOf(a, document)
	if err != nil {
		return nil, nil, err
	}
	if policy != nil {
		source, err := rule.Static(*policy)
		if err != nil {
			return nil, nil, err
		}
		options = append(options, transport.WithRules(source))
	}
	if level != transport.Off {
		sdk := newTelemetry()
		end = append(end, sdk.Close)
		options = append(options, transport.WithMeterProvider(sdk.meters), transport.WithTracerProvider(sdk.tracers))
	}
	mesh, err := transport.New(list, options...)
	if err != nil {
		return nil, nil, errors.Join(err, end.Close())
	}
	end = append(closers{func() error { return mesh.Close(context.Background()) }}, end...)
	if policy != nil {
		if err := inForce(mesh, p); err != nil {
			return nil, nil, errors.Join(err, end.Close())
		}
	}
	return mesh, end, nil
}
