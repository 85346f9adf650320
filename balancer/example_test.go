package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
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

// Whoever has a pool can have its instances probed. What becomes of a verdict is
// for Report to say; Judge takes note of it.
func ExampleChecker_Run() {
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		panic(err)
	}
	pool.Update(discovery.Snapshot{
		State:     discovery.Live,
		Instances: discovery.List(discovery.Addrs("cache", "10.0.0.1:6379", "10.0.0.2:6379")...),
	}, balancer.Now())

	// One that speaks its protocol, in the place of TCPProber.
	ping := balancer.ProberFunc(func(_ context.Context, n *balancer.Node) error {
		if n.Endpoint("redis") == "10.0.0.2:6379" {
			return errors.New("LOADING Redis is loading the dataset in memory")
		}
		return nil
	})
	checker, err := balancer.NewChecker(balancer.HealthCheck{Interval: 100 * time.Millisecond}, ping)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	checker.Run(ctx, func() []*balancer.Node { return pool.View().Nodes }, func(n *balancer.Node, healthy bool, cause error) {
		pool.Judge(n, healthy, balancer.Now())
		fmt.Println(n.Endpoint("redis"), n.Unwell(), cause)
		cancel() // or for as long as the process runs
	})
	// Output: 10.0.0.2:6379 true LOADING Redis is loading the dataset in memory
}

// Whoever switches checks off takes their verdicts back.
func ExamplePool_Acquit() {
	pool, err := balancer.NewPool(balancer.PoolConfig{})
	if err != nil {
		panic(err)
	}
	view := pool.Update(discovery.Snapshot{
		State:     discovery.Live,
		Instances: discovery.List(discovery.Addrs("cache", "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379")...),
	}, balancer.Now())
	checker, err := balancer.NewChecker(balancer.HealthCheck{}, balancer.TCPProber{}) // and checker.Run, elsewhere
	if err != nil {
		panic(err)
	}
	view = pool.Judge(view.Nodes[1], false, balancer.Now()) // as Run reported
	fmt.Println(len(view.Eligible("redis")), checker.Config().Off)
	if err := checker.Configure(balancer.HealthCheck{Off: true}); err != nil {
		panic(err)
	}
	view = pool.Acquit(balancer.Now())
	fmt.Println(len(view.Eligible("redis")), checker.Config().Off)
	// Output:
	// 2 false
	// 3 true
}

// Somebody listens, or nobody does.
func ExampleTCPProber() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	n := balancer.NewNode(discovery.Instance{ID: "a", Addr: l.Addr().String()}, 0)
	fmt.Println(balancer.TCPProber{}.Probe(context.Background(), n))
	l.Close()
	fmt.Println(errors.Is(balancer.TCPProber{}.Probe(context.Background(), n), syscall.ECONNREFUSED))
	// Output:
	// <nil>
	// true
}

// A prober that speaks a protocol of its own dials by DialEndpoint: then it goes
// nowhere that calls may not go, as the context says.
func ExampleDialEndpoint() {
	ctx := balancer.WithSocketCheck(context.Background(), discovery.Reach{}.CheckSocket)
	_, err := balancer.DialEndpoint(ctx, net.Dialer{}, "169.254.169.254:80")
	fmt.Println(errors.Is(err, discovery.ErrForbidden))
	// Output: true
}
