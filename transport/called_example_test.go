package transport_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// A door that keeps connections follows whom its calls may go to: of a thousand
// instances a hundred, unless a Subset says otherwise.
func ExampleMesh_Called() {
	var ids []string
	for n := range 1000 {
		ids = append(ids, fmt.Sprintf("i%03d", n))
	}
	mesh, err := transport.New(fairleadtest.NewFleet(fairleadtest.Instances("orders", ids...)...),
		transport.WithLogger(slog.New(slog.DiscardHandler)),
		transport.WithBalancing(balancer.Balancing{Subset: balancer.Subset{Seed: "this client"}}))
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close(context.Background())

	called, err := mesh.Called(context.Background(), "orders", discovery.GRPC)
	if err != nil {
		log.Fatal(err)
	}
	connections := transport.Connections{}
	for nodes := range called {
		fmt.Println("to be connected to:", len(nodes))
		// ... and once they are:
		mesh.CountConnections("orders", connections, transport.Connections{Ready: int64(len(nodes))})
		break // a door goes on
	}
	fmt.Println("connected:", mesh.Dump().Services[0].Connections.Ready)
	// Output:
	// to be connected to: 100
	// connected: 100
}
