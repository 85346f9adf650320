package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// A client of whatever protocol chooses an instance for each call and says how
// it went.
func Example() {
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		panic(err)
	}
	pool.Update(discovery.Snapshot{
		State:     discovery.Live,
		Instances: discovery.List(discovery.Addrs("cache", "10.0.0.1:6379", "10.0.0.2:6379")...),
	}, balancer.Now())

	call := func() string {
		picker := pool.View().Picker("redis")
		node := picker.Pick(balancer.Request{Now: balancer.Now(), Rand: rand.Uint64()})
		ticket := node.Start(balancer.Now())
		defer func() { ticket.Done(balancer.Now(), balancer.Success) }()
		return node.Endpoint("redis")
	}
	addr := call()
	fmt.Println(addr == "10.0.0.1:6379" || addr == "10.0.0.2:6379")
	// Output: true
}

// Time and chance are given, so that a simulation needs neither a clock nor
// luck.
func ExampleP2CEWMA() {
	fast := balancer.NewNode(discovery.Instance{ID: "fast"}, 0)
	slow := balancer.NewNode(discovery.Instance{ID: "slow"}, 1)
	now := time.Minute
	fast.Start(now-time.Millisecond).Done(now, balancer.Success)
	slow.Start(now-time.Second).Done(now, balancer.Success)

	picker := balancer.P2CEWMA{}.Picker(balancer.Among(fast, slow))
	fmt.Println(picker.Pick(balancer.Request{Now: now, Rand: 42}).ID())
	fmt.Println(slow.Stats(now).Latency)
	// Output:
	// fast
	// 1s
}
