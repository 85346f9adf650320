package transport

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// Called yields the instances of a service that calls of a protocol may go to,
// for doors that keep connections: as soon as there is a list, whenever they are
// others, and when the rules have changed, after which calls that wait have to
// look again. They are sorted by ID and must not be written to; a slow reader
// misses what lies between, never the last. It ends with ctx, with the mesh, or
// when the loop is left. The error is that of a bad service name, or [ErrClosed].
//
// Where a [balancer.Subset] is drawn, they are those that it leaves of all
// instances, those that it leaves of the instances of each route, lane and
// fallback that calls used in the last five minutes, and the instances that calls
// were pinned to in the last minute. Else, and with a policy that gives keys a
// place, they are all instances. A call that needs others than before makes them
// called at once, and finds them not ready until its door is connected to them;
// those that are not used any more leave with a later list.
func (m *Mesh) Called(ctx context.Context, service string, p discovery.Protocol) (iter.Seq[[]*balancer.Node], error) {
	s, err := m.lookup(service)
	if err != nil {
		return nil, err
	}
	return func(yield func([]*balancer.Node) bool) {
		var last []*balancer.Node
		renewals := -1
		for {
			turn := *s.turn.Load() // before the course: a newer one closes it
			if c := s.course.Load(); c.view.Snapshot.State != discovery.Cold {
				now := c.called(p)
				if renewals != c.view.Renewals || !slices.Equal(now, last) {
					if !yield(now) {
						return
					}
					last, renewals = now, c.view.Renewals
				}
			}
			select {
			case <-turn:
			case <-ctx.Done():
				return
			case <-m.ctx.Done():
				return
			}
		}
	}, nil
}

// called returns those that calls of a protocol may go to, sorted by ID.
func (c *course) called(p discovery.Protocol) []*balancer.Node {
	var called []*balancer.Node
	if all := c.view.Choice(p); all != nil {
		called = all.Called()
		if len(called) < len(all.Nodes) {
			number := c.view.Number(p)
			called = c.withSelections(called, func(s *selection) bool { return c.view.Number(s.protocol) == number })
		}
	}
	return joined(called, slices.DeleteFunc(c.asked(), func(n *balancer.Node) bool { return n.Endpoint(p) == "" }))
}

// calledAtAll returns those that calls of any protocol may go to, sorted by ID.
func (c *course) calledAtAll() []*balancer.Node {
	var called []*balancer.Node
	for _, choice := range c.view.Choices() {
		called = joined(called, choice.Called())
	}
	if len(called) < len(c.view.Nodes) {
		called = c.withSelections(called, func(*selection) bool { return true })
	}
	return joined(called, c.asked())
}

// withSelections adds those of selections.
func (c *course) withSelections(called []*balancer.Node, concerned func(*selection) bool) []*balancer.Node {
	for _, s := range *c.selections.Load() {
		if s.choice != nil && concerned(s) {
			called = joined(called, s.choice.Called())
		}
	}
	return called
}

// asked returns those that single calls asked for, whoever they are: also
// instances that drain, which nobody else calls.
func (c *course) asked() []*balancer.Node { return c.service.asked.among(c.view.Nodes) }

// joined returns the nodes of two lists, sorted by ID: the first itself where the
// second has nobody else.
func joined(a, b []*balancer.Node) []*balancer.Node {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	_, more := balancer.Diff(a, b)
	if len(more) == 0 {
		return a
	}
	both := slices.Concat(a, more)
	slices.SortFunc(both, func(a, b *balancer.Node) int { return strings.Compare(a.ID(), b.ID()) })
	return both
}

// ask makes those called whom a call has to choose among beyond the rest,
// however many courses pass until they are connected.
func (c *course) ask(p discovery.Protocol, nodes []*balancer.Node) {
	if all := c.view.Choice(p); all != nil {
		_, nodes = balancer.Diff(all.Called(), nodes)
	}
	if c.service.asked.add(nodes, balancer.Now()) {
		c.service.tell()
	}
}

// asked are the instances that single calls asked for. They are remembered
// beside the courses: one that is new must not lose what a call waits for.
type asked struct {
	mu   sync.Mutex
	last map[string]time.Duration // by ID
}

// rememberAsked is longer than it takes to connect.
const rememberAsked = time.Minute

// add reports whether one of the nodes is new.
func (a *asked) add(nodes []*balancer.Node, now time.Duration) (added bool) {
	if len(nodes) == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[string]time.Duration{}
	}
	for _, n := range nodes {
		_, known := a.last[n.ID()]
		added = added || !known
		a.last[n.ID()] = now
	}
	return added
}

// forget leaves out what nobody asked for lately.
func (a *asked) forget(now time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, last := range a.last {
		if now-last > rememberAsked {
			delete(a.last, id)
		}
	}
}

// among returns those of the nodes, sorted by ID, that were asked for.
func (a *asked) among(nodes []*balancer.Node) (some []*balancer.Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.last {
		if n := nodeOf(nodes, id); n != nil {
			some = append(some, n)
		}
	}
	slices.SortFunc(some, func(a, b *balancer.Node) int { return strings.Compare(a.ID(), b.ID()) })
	return some
}

// nodeOf returns the node with an ID, nil if there is none.
func nodeOf(nodes []*balancer.Node, id string) *balancer.Node {
	at, ok := slices.BinarySearchFunc(nodes, id, func(n *balancer.Node, id string) int { return strings.Compare(n.ID(), id) })
	if !ok {
		return nil
	}
	return nodes[at]
}
