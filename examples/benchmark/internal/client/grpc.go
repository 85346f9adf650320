package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/orders"
)

// overGRPC makes the calls over gRPC.
func (v variant) overGRPC(a Assignment, sdk telemetry) (worker, closers, error) {
	deadline, err := a.deadline()
	if err != nil {
		return nil, nil, err
	}
	c, err := v.grpc(a, sdk)
	if err != nil {
		return nil, c.close, err
	}
	client := orders.NewOrdersClient(c.conn)
	return func() func(context.Context) error {
		if a.Scenario.Protocol == scenario.GRPCStream {
			return newDialogue(client, a.Scenario, deadline).call
		}
		call := place(client, a.Scenario)
		if !v.governed {
			call = within(deadline, call)
		}
		return tenanted(call)
	}, c.close, nil
}

// place sends the payload and expects as much in return.
func place(client orders.OrdersClient, s scenario.Scenario) func(context.Context) error {
	note := make([]byte, s.Payload)
	return func(ctx context.Context) error {
		order, err := client.Place(ctx, &orders.PlaceRequest{Item: s.Handler, Note: note})
		if err != nil {
			return err
		}
		return came(order, s.Payload)
	}
}

func came(order *orders.Order, payload int) error {
	if n := len(order.GetNote()); n != payload {
		return fmt.Errorf("order: %d bytes came back, not %d", n, payload)
	}
	return nil
}

// tenanted gives calls their metadata, once for all that a worker makes in the same
// context.
func tenanted(call func(context.Context) error) func(context.Context) error {
	var given, with context.Context
	return func(ctx context.Context) error {
		if ctx != given {
			given, with = ctx, metadata.AppendToOutgoingContext(ctx, tenantHeader, tenant)
		}
		return call(with)
	}
}

// pickFirst is what gRPC does by itself: all calls go to the first address that
// accepts a connection.
func pickFirst(a Assignment, _ telemetry) (grpcClient, error) { return dialList(a) }

// roundRobin is grpc's own.
const roundRobin = `{"loadBalancingConfig":[{"round_robin":{}}]}`

func roundRobinGRPC(a Assignment, _ telemetry) (grpcClient, error) {
	return dialList(a, grpc.WithDefaultServiceConfig(roundRobin))
}

// dialList is a client of gRPC's own for the addresses.
func dialList(a Assignment, options ...grpc.DialOption) (grpcClient, error) {
	list := manual.NewBuilderWithScheme("list")
	state := resolver.State{}
	for _, addr := range a.Addrs {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	list.InitialState(state)
	conn, err := grpc.NewClient("list:///orders",
		append(options, grpc.WithResolvers(list), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return grpcClient{}, err
	}
	return grpcClient{conn: conn, close: closers{conn.Close}}, nil
}
