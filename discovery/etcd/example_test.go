package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/rule"
)

// A process announces itself, finds the instances of another service, and
// leaves in good order.
func Example() {
	registry, err := etcd.New(etcd.Config{
		Client: clientv3.Config{Endpoints: []string{"etcd-0.example:2379", "etcd-1.example:2379"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	registration, err := registry.Register(ctx, discovery.Instance{
		Service:   "orders",
		Zone:      "north-1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}},
	})
	if err != nil {
		log.Fatal(err)
	}

	for snapshot, err := range registry.Watch(ctx, "users") {
		if err != nil {
			log.Print(err) // the snapshot is the last good one
		}
		fmt.Println(snapshot.State, len(snapshot.Instances))
		if snapshot.State == discovery.Live {
			break
		}
	}

	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := registration.Drain(ctx); err != nil { // tells callers of fairlead
		log.Print(err)
	}
	if err := registry.Close(ctx); err != nil { // tells everybody
		log.Print(err)
	}
}

// The document of a service as it stands in etcd, now and whenever it changes.
func ExampleRegistry_Rules() {
	registry, err := etcd.New(etcd.Config{Client: clientv3.Config{Endpoints: []string{"10.0.0.1:2379"}}})
	if err != nil {
		log.Fatal(err)
	}
	for document, err := range registry.Rules(context.Background(), "orders") {
		if err != nil {
			log.Print(err) // the document is the last one heard
		}
		if document.Text == nil {
			continue // there is none: what code set holds
		}
		policy, err := rule.Decode(document.Text)
		if err != nil {
			log.Print(err) // the policy before this one stays
			continue
		}
		fmt.Println(document.Revision, policy.Spec.Service)
	}
}

// A tool changes the rules of a service, if nobody else did since it looked.
func ExampleOperator() {
	operator, err := etcd.NewOperator(etcd.Config{Client: clientv3.Config{Endpoints: []string{"10.0.0.1:2379"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer operator.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	stands, err := operator.Rules(ctx, "orders")
	if err != nil {
		log.Fatal(err)
	}
	policy, err := rule.Decode(stands.Text)
	if err != nil {
		log.Fatal(err)
	}
	policy.Spec.Timeout = rule.Duration(800 * time.Millisecond)
	written, before, err := operator.PutRules(ctx, policy, stands.Revision, etcd.Note{By: "ann", Reason: "slow disks"})
	if conflict, ok := errors.AsType[*etcd.ConflictError](err); ok {
		log.Fatalf("look again: revision %d stands now", conflict.Found)
	}
	if errors.Is(err, etcd.ErrUnreachable) {
		log.Fatal("it may have been written or not: ", err)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", written.Number, "instead of", before.Number)
}

// Who calls a service, and what all of them want of a limit that they share.
func ExampleRegistry_WatchClients() {
	registry, err := etcd.New(etcd.Config{Client: clientv3.Config{Endpoints: []string{"10.0.0.1:2379"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close(context.Background())
	registry.ReportDemand("orders", map[string]float64{"checkout": 120}) // calls per second
	for clients, err := range registry.WatchClients(context.Background(), "orders") {
		if err != nil {
			log.Print(err) // the clients are those that were last known
		}
		all := 0.0
		for _, c := range clients.Clients {
			all += c.Demand["checkout"]
		}
		fmt.Println(clients.State, clients.Number, all)
	}
}
