package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/fairlead-go/fairlead/examples/orders"
)

// roundRobinGRPC is grpc's own round robin over the addresses.
func roundRobinGRPC(a Assignment) (Caller, error) {
	list := manual.NewBuilderWithScheme("list")
	state := resolver.State{}
	for _, addr := range a.Addrs {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	list.InitialState(state)
	conn, err := grpc.NewClient("list:///orders", grpc.WithResolvers(list), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		return Caller{}, err
	}
	return Caller{Worker: forAll(place(conn, a.Scenario.Payload)), Close: conn.Close}, nil
}

// place sends the payload and expects as much in return.
func place(conn grpc.ClientConnInterface, payload int) func(context.Context) error {
	client := orders.NewOrdersClient(conn)
	note := make([]byte, payload)
	return func(ctx context.Context) error {
		order, err := client.Place(ctx, &orders.PlaceRequest{Note: note})
		if err != nil {
			return err
		}
		if n := len(order.GetNote()); n != payload {
			return fmt.Errorf("Orders/Place: %d bytes came back, not %d", n, payload)
		}
		return nil
	}
}
