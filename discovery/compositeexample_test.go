package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/fairlead-go/fairlead/discovery"
)

// A list that is part of the program serves where the registry cannot be
// reached or knows nobody.
func ExampleNewComposite() {
	ctx := context.Background()
	var registry discovery.Memory // or Open: etcd.Config{…}.Open, which Close then closes
	static, err := discovery.NewStatic(discovery.Addrs("orders", "10.0.0.9:8080")...)
	if err != nil {
		fmt.Println(err)
		return
	}
	composite, err := discovery.NewComposite(discovery.CompositeConfig{
		Rule: discovery.Prefer,
		Members: []discovery.Member{
			{Name: "memory", Registry: &registry},
			{Name: "static", Registry: static},
		},
		Logger: slog.New(slog.DiscardHandler), // which member is in use is a warning
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer composite.Close(ctx)
	for snapshot, err := range composite.Watch(ctx, "orders") {
		i := snapshot.Instances[0]
		fmt.Println(snapshot.State, i.Addr, err)
		switch i.Addr {
		case "10.0.0.9:8080":
			registry.Register(ctx, discovery.Instance{ID: "a", Service: "orders", Addr: "10.0.0.7:8080"})
		case "10.0.0.7:8080":
			if err != nil {
				return // it stays in use
			}
			registry.Fail(errors.New("connection refused"))
		}
	}
	// Output:
	// live 10.0.0.9:8080 <nil>
	// live 10.0.0.7:8080 <nil>
	// stale 10.0.0.7:8080 registry memory: connection refused
}

// A fleet moves from one registry to another: who has moved registers in both
// and sees the instances of both.
func ExampleComposite_Register() {
	ctx := context.Background()
	var old, next discovery.Memory
	old.Register(ctx, discovery.Instance{ID: "not-moved", Service: "orders", Addr: "10.0.0.7:8080"})
	composite, err := discovery.NewComposite(discovery.CompositeConfig{
		Rule:    discovery.Merge,
		Members: []discovery.Member{{Name: "old", Registry: &old}, {Name: "next", Registry: &next}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer composite.Close(ctx)

	old.Fail(errors.New("connection refused"))
	registration, err := composite.Register(ctx, discovery.Instance{ID: "moved", Service: "orders", Addr: "10.0.0.8:8080"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(registration.State().Reason)
	old.Heal()
	fmt.Println(registration.Wait(ctx))
	for snapshot := range composite.Watch(ctx, "orders") {
		for _, i := range snapshot.Instances {
			fmt.Println(i.ID)
		}
		break
	}
	// Output:
	// registry old: connection refused
	// <nil>
	// moved
	// not-moved
}
