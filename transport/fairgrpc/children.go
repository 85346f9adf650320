package fairgrpc

import (
	"time"

	grpcbalancer "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/connectivity"

	"github.com/fairlead-go/fairlead/balancer"
)

// child is the connection of one node.
type child struct {
	node    *balancer.Node // nil: there is none here
	state   connectivity.State
	opening *opening
	silence *silence
	picker  grpcbalancer.Picker
	renew   func()
}

// openingTime is how long a call waits at most for instances that are new to its
// channel before it goes to the fallback of its route: many times what it takes
// to connect, and less than callers wait. One that never answers is found out by
// gRPC after five seconds.
const openingTime = time.Second

// settled reports whether it is known whether the node can be connected to, or
// takes too long to know.
func (c *child) settled() bool { return c.opening.left() <= 0 }

// left is for how much longer calls wait for the connection.
func (o *opening) left() time.Duration {
	if o.ended.Load() {
		return 0
	}
	return o.began + openingTime - balancer.Now()
}

// children are the connections of a channel, found by the number of the node: each
// is at most so many places behind the one that its number has. All instances of
// a service have numbers without gaps, and each is in its own place; of a
// thousand of which a hundred are called, a place is made for two hundred. A table
// as long as the numbers would be made anew with each change of a connection. It
// is immutable.
type children struct {
	places []child
	behind int
}

// newChildren makes the table of the connections of all, or of those that are aside,
// for sheddable calls only. It tells nobody.
func newChildren(states []endpointsharding.ChildState, aside bool) (c children) {
	count, most := 0, -1
	for _, s := range states {
		for _, n := range instancesAt(s.Endpoint).nodes {
			count, most = count+1, max(most, n.Index())
		}
	}
	c.places = make([]child, max(min(most+1, 2*count), count)) // the number of one that left may be another's
	for _, s := range states {
		at := instancesAt(s.Endpoint)
		silence := &at.opening.silence
		if aside {
			silence = &at.opening.aside
		}
		for _, n := range at.nodes {
			c.put(child{n, s.State.ConnectivityState, at.opening, silence, s.State.Picker, at.renew})
		}
	}
	return c
}

// tell tells nodes and openings what has become of their connections.
func tell(states []endpointsharding.ChildState) {
	for _, s := range states {
		at := instancesAt(s.Endpoint)
		switch s.State.ConnectivityState {
		case connectivity.TransientFailure:
			for _, n := range at.nodes {
				n.Unreachable()
			}
			fallthrough
		case connectivity.Ready:
			at.opening.ended.Store(true)
		}
	}
}

// left is when the next opening will be over, 0 if there is none.
func (c *children) left() (next time.Duration) {
	for i := range c.places {
		if c.places[i].node == nil {
			continue
		}
		if left := c.places[i].opening.left(); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return next
}

// put takes the first place that is free from the node's own on.
func (c *children) put(one child) {
	for behind := 0; ; behind++ {
		if p := c.place(one.node, behind); p.node == nil {
			*p = one
			c.behind = max(c.behind, behind)
			return
		}
	}
}

func (c *children) place(n *balancer.Node, behind int) *child {
	return &c.places[(n.Index()+behind)%len(c.places)]
}

// child returns the connection of a node, nil if the channel has not heard of
// it yet.
func (c *children) child(n *balancer.Node) *child {
	if len(c.places) == 0 {
		return nil
	}
	for behind := 0; behind <= c.behind; behind++ {
		if p := c.place(n, behind); p.node == n {
			return p
		}
	}
	return nil
}
