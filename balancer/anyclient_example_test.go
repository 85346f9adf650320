package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// whoAreYou asks an instance over TCP, and another one if nobody listens there.
func whoAreYou(ctx context.Context, pool *balancer.Pool) (answer []byte, err error) {
	for attempt := range 2 {
		picker := pool.View().Picker("tcp")
		if picker == nil {
			return nil, balancer.ErrNoInstances
		}
		node := picker.Pick(balancer.Request{Now: balancer.Now(), Rand: rand.Uint64(), Retry: attempt > 0})
		ticket := node.Start(balancer.Now())
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", node.Endpoint("tcp"))
		if err != nil {
			ticket.Done(balancer.Now(), unreached(ctx))
			if ctx.Err() != nil {
				return nil, err
			}
			continue
		}
		defer conn.Close()
		if answer, err = io.ReadAll(conn); err != nil {
			ticket.Done(balancer.Now(), balancer.Failure)
			return nil, err
		}
		ticket.Done(balancer.Now(), balancer.Success)
		return answer, nil
	}
	return nil, errors.New("nobody listens")
}

// unreached says what a failed dial tells of the instance: nothing where the
// caller gave up, and nothing certain where its time was over.
func unreached(ctx context.Context) balancer.Result {
	switch ctx.Err() {
	case nil:
		return balancer.Unreachable
	case context.Canceled:
		return balancer.Neutral
	}
	return balancer.Failure
}

// Two servers are listed and one of them is gone: no call fails, and after the
// first it is passed over.
func Example_anyClient() {
	alive, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer alive.Close()
	go func() { // ends with the listener
		for {
			conn, err := alive.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "alive")
			conn.Close()
		}
	}()
	pool, err := balancer.NewPool(balancer.PoolConfig{
		Reach:     discovery.Reach{Loopback: true},
		Balancing: balancer.Balancing{Policy: balancer.RoundRobin{}},
	})
	if err != nil {
		panic(err)
	}
	pool.Update(discovery.Snapshot{State: discovery.Live, Instances: discovery.List(
		discovery.Instance{ID: "alive", Addr: alive.Addr().String()},
		discovery.Instance{ID: "gone", Addr: "127.0.0.1:1"},
	)}, balancer.Now())

	answers := map[string]int{}
	for range 10 {
		answer, err := whoAreYou(context.Background(), pool)
		if err != nil {
			panic(err)
		}
		answers[string(answer)]++
		pool.Review(balancer.Now()) // pool.Run does this where there is one
	}
	fmt.Println(answers)
	for _, o := range pool.View().Outages {
		fmt.Println(o.Node.ID(), o.Reason, o.Times)
	}
	// Output:
	// map[alive:10]
	// gone refused 1
}

// dialer chooses an instance for each connection.
type dialer struct{ pool *balancer.Pool }

// DialContext has the form that clients with connections of their own ask for.
func (d dialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	picker := d.pool.View().Picker("postgres")
	if picker == nil {
		return nil, balancer.ErrNoInstances
	}
	node := picker.Pick(balancer.Request{Now: balancer.Now(), Rand: rand.Uint64()})
	ticket := node.StartStream(balancer.Now()) // how long it lives is not the instance's doing
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", node.Endpoint("postgres"))
	if err != nil {
		ticket.Done(balancer.Now(), unreached(ctx))
		return nil, err
	}
	return &counted{Conn: conn, ticket: ticket}, nil
}

// counted is outstanding at its instance until it is closed.
type counted struct {
	net.Conn
	ticket balancer.Ticket
	once   sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.ticket.Done(balancer.Now(), balancer.Success) })
	return c.Conn.Close()
}

// A client that keeps connections itself, as database/sql does, is given a
// dialer: each connection goes to the instance that has the fewest.
func Example_dialContext() {
	var instances []discovery.Instance
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer l.Close()
		instances = append(instances, discovery.Addrs("db", l.Addr().String())...)
	}
	pool, err := balancer.NewPool(balancer.PoolConfig{
		Reach:     discovery.Reach{Loopback: true},
		Balancing: balancer.Balancing{Policy: balancer.LeastRequest{}},
	})
	if err != nil {
		panic(err)
	}
	view := pool.Update(discovery.Snapshot{State: discovery.Live, Instances: discovery.List(instances...)}, balancer.Now())

	db := dialer{pool}
	for range 6 {
		conn, err := db.DialContext(context.Background(), "tcp", "db")
		if err != nil {
			panic(err)
		}
		defer conn.Close()
	}
	for _, n := range view.Nodes {
		fmt.Println(n.Outstanding())
	}
	// Output:
	// 3
	// 3
}
