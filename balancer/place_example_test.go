package balancer_test

import (
	"fmt"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// A client in one zone of a service that has instances in three.
func ExampleLocality() {
	pool, err := balancer.NewPool(balancer.PoolConfig{Balancing: balancer.Balancing{
		Locality: balancer.Locality{Region: "eu", Zone: "eu-a"},
	}})
	if err != nil {
		panic(err)
	}
	s := fixture.Snapshot("orders", 9)
	for n, i := range s.Instances {
		i.Zone = []string{"eu-a", "eu-b", "us-a"}[n%3]
		i.Region = i.Zone[:2]
	}
	view := pool.Update(s, balancer.Now())
	for _, p := range view.Choice(discovery.HTTP).Parts() {
		fmt.Printf("%s: %d instances, %.0f%% of the calls\n", p.Distance, p.Instances, 100*p.Share)
	}
	// Output:
	// zone: 3 instances, 100% of the calls
	// region: 3 instances, 0% of the calls
	// elsewhere: 3 instances, 0% of the calls
}

// Calls prefer instances on machines that are paid for anyway.
func ExampleTier() {
	pool, err := balancer.NewPool(balancer.PoolConfig{Balancing: balancer.Balancing{
		Tiers: []balancer.Tier{{Name: "reserved", Labels: map[string]string{"machine": "reserved"}}},
	}})
	if err != nil {
		panic(err)
	}
	s := fixture.Snapshot("orders", 4)
	for n, machine := range []string{"reserved", "spot", "spot", "reserved"} {
		s.Instances[n].Meta = map[string]string{"machine": machine}
	}
	view := pool.Update(s, balancer.Now())
	for _, p := range view.Choice(discovery.HTTP).Parts() {
		fmt.Printf("%q: %d instances, %.0f%% of the calls\n", p.Tier, p.Instances, 100*p.Share)
	}
	// Output:
	// "reserved": 2 instances, 100% of the calls
	// "": 2 instances, 0% of the calls
}

// A client of thousands of instances connects to a few, and to the same ones
// after a restart.
func ExampleSubset() {
	pool, err := balancer.NewPool(balancer.PoolConfig{Balancing: balancer.Balancing{
		Subset: balancer.Subset{Size: 3, Seed: "billing-7"},
	}})
	if err != nil {
		panic(err)
	}
	choice := pool.Update(fixture.Snapshot("orders", 5000), balancer.Now()).Choice(discovery.HTTP)
	fmt.Println("of", len(choice.Nodes))
	for _, n := range choice.Called() {
		fmt.Println(n.ID())
	}
	// Output:
	// of 5000
	// i00204
	// i01419
	// i03768
}
