package fairgrpc_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

const ofMany = 10_000

// Of ten thousand instances a client connects to a hundred, and a change of the
// list changes one connection at most.
func TestClientOfALargeServiceConnectsToItsSubset(t *testing.T) {
	w := newWorld(t, hundred("me"))
	c := newCrowd(t)
	w.populate(c.many(ofMany)...)
	conn := w.dial()
	mustCall(t, conn, get, "")
	eventually(t, "all that are called are connected", func() bool { return w.connections() == transport.Connections{Ready: 100} })
	answered := map[string]bool{}
	for range 1000 {
		answered[mustCall(t, conn, get, "")] = true
	}
	called := w.called()
	if len(called) != 100 || c.accepted() != 100 || len(c.connected()) != 100 || len(answered) < 95 {
		t.Errorf("%d are called, %d connections of %d instances were made, %d have answered", len(called), c.accepted(), len(c.connected()), len(answered))
	}
	for id := range c.connected() {
		if !slices.Contains(called, id) {
			t.Errorf("%s is connected to and not called", id)
		}
	}

	w.register(c.instance(ofMany))
	w.knows(ofMany + 1)
	eventually(t, "who is not called is not connected to", func() bool { return w.connections() == transport.Connections{Ready: 100} })
	if n := c.accepted(); n > 101 {
		t.Errorf("%d connections for one instance that came", n-100)
	}
}

// One of the called that leaves is replaced by one, and one that is not called is
// nobody's loss; and so when they come back.
func TestOneChangeIsOneConnection(t *testing.T) {
	const all, changes = 300, 6
	w := newWorld(t, hundred("me"))
	c := newCrowd(t)
	registrations := map[string]discovery.Registration{}
	for _, i := range c.many(all) {
		registrations[i.ID] = w.register(i)
	}
	conn := w.dial()
	mustCall(t, conn, get, "")
	connected := func() bool { return w.connections() == transport.Connections{Ready: 100} }
	eventually(t, "all that are called are connected", connected)
	called := w.called()
	var gone []discovery.Instance
	for _, i := range c.many(all) { // in turn one that is called and one that is not
		if len(gone) < changes && slices.Contains(called, i.ID) == (len(gone)%2 == 0) {
			gone = append(gone, i)
		}
	}
	change := func(i discovery.Instance, instances int, do func()) {
		t.Helper()
		accepted := c.accepted()
		do()
		w.knows(instances)
		if slices.Contains(called, i.ID) {
			accepted++
		}
		eventually(t, "connections are as they should be", func() bool { return c.accepted() == accepted && connected() })
	}
	for n, i := range gone {
		change(i, all-1-n, func() { withdraw(t, registrations[i.ID]) })
	}
	for n, i := range gone {
		change(i, all-changes+1+n, func() { w.register(i) })
	}
	if now := w.called(); !slices.Equal(now, called) {
		t.Errorf("%v are called, want those of before, %v", now, called)
	}
}

// A channel is told of a list only if that changes who is called: each update
// makes gRPC go through all its connections.
func TestChannelIsNotToldOfWhoIsNotCalled(t *testing.T) {
	w := newWorld(t, hundred("me"))
	w.populate(fixture.Instances("orders", 300)...)
	c := new(channel)
	defer w.resolve(c).Close()
	eventually(t, "the first list arrives", func() bool { return len(c.last().Endpoints) == 100 })
	updates, called := c.updates(), w.called()
	for n := range 20 {
		w.register(discovery.Instance{ID: fmt.Sprint("x", n), Service: "orders", Addr: fmt.Sprintf("10.1.0.%d:80", n)})
		w.knows(301 + n)
		if now := w.called(); !slices.Equal(now, called) {
			updates, called = updates+1, now
			eventually(t, "the channel is told", func() bool { return c.updates() == updates })
		}
	}
	if got := c.updates(); got != updates {
		t.Errorf("%d updates too many", got-updates)
	}
}

// canaries returns a crowd of which some, at the end, are of version v2, with the
// calls of one method on a route to them.
func canaries(t *testing.T, c *crowd, all, some int, strict bool) *world {
	route := to("v2", rule.Match{Path: &rule.Text{Exact: replace}})
	route.Strict = strict
	rules := new(fairleadtest.Rulebook)
	rules.Put(policy(route))
	w := newWorld(t, hundred("me"), transport.WithRules(rules), transport.WithPinning())
	instances := c.many(all)
	for n := range some {
		instances[all-1-n].Version = "v2"
	}
	w.populate(instances...)
	w.obeys(all)
	return w
}

// Twenty canaries among ten thousand: a subset of the whole service holds none of
// them, as a rule. The first call on their route waits until they are connected to,
// also where the rest would do instead if they failed.
func TestRouteToAFewOfMany(t *testing.T) {
	for _, tt := range []struct {
		name   string
		strict bool
	}{{"Strict", true}, {"WithFallback", false}} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCrowd(t)
			w := canaries(t, c, ofMany, 20, tt.strict)
			conn := w.dial()
			mustCall(t, conn, get, "")
			eventually(t, "the rest is connected", func() bool { return w.connections() == transport.Connections{Ready: 100} })
			answered := map[string]bool{}
			for range 400 {
				id := mustCall(t, conn, replace, "")
				if id < fmt.Sprintf("i%05d", ofMany-20) {
					t.Fatalf("a call on the route went to %s", id)
				}
				answered[id] = true
			}
			if len(answered) != 20 {
				t.Errorf("%d of 20 have answered", len(answered))
			}
			if n := c.accepted(); n < 119 || n > 120 { // one may be among the hundred
				t.Errorf("%d connections", n)
			}
		})
	}
}

// What is not connected because it cannot be is what a fallback is for.
func TestFallbackOfARouteThatCannotBeConnectedTo(t *testing.T) {
	c := newCrowd(t)
	w := canaries(t, c, 300, 0, false)
	for n := range 3 {
		w.register(discovery.Instance{ID: fmt.Sprint("down", n), Service: "orders", Version: "v2", Addr: fmt.Sprintf("127.2.0.%d:1", n+1)})
	}
	conn := w.dial()
	mustCall(t, conn, get, "")
	for range 20 {
		if id := mustCall(t, conn, replace, ""); !strings.HasPrefix(id, "i") {
			t.Errorf("went to %s", id)
		}
	}
}

// A pinned call goes to its instance, whether that is of the subset or not.
func TestPinnedBeyondTheSubset(t *testing.T) {
	c := newCrowd(t)
	w := canaries(t, c, 1000, 0, true)
	for name, call := range ways(w) {
		if !strings.HasPrefix(name, "Unary") {
			continue
		}
		called := w.called()
		for _, i := range c.many(1000)[:300] {
			if slices.Contains(called, i.ID) {
				continue
			}
			for range 2 {
				if got, err := call(transport.WithCall(within(t), transport.Instance(i.ID))); got != i.ID {
					t.Fatalf("%s: a call pinned to %s went to %q: %v", name, i.ID, got, err)
				}
			}
			break
		}
	}
	if n := len(w.called()); n != 102 {
		t.Errorf("%d are called, want a hundred and the two that calls were pinned to", n)
	}
}

// A policy that gives keys a place has to reach every place.
func TestHashPolicyConnectsToAll(t *testing.T) {
	const all = 300
	w := newWorld(t, transport.WithPolicy(balancer.RingHash{}))
	c := newCrowd(t)
	w.populate(c.many(all)...)
	conn := w.dial()
	mustCall(t, conn, get, "")
	eventually(t, "all are connected", func() bool { return w.connections() == transport.Connections{Ready: all} })
}

// Channels count their connections together, and take them back when they close.
func TestConnectionsAreCounted(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	w.announce(a, b)
	w.register(discovery.Instance{ID: "down", Service: "orders", Addr: "127.0.0.1:1"})
	one, two := w.dial(), w.dial()
	mustCall(t, one, get, "")
	mustCall(t, two, get, "")
	eventually(t, "both channels are connected", func() bool {
		n := w.connections()
		return n.Ready == 4 && n.Failed+n.Connecting+n.Idle == 2 // it is tried again all the time
	})
	one.Close()
	eventually(t, "one channel is connected", func() bool {
		n := w.connections()
		return n.Ready == 2 && n.Failed+n.Connecting+n.Idle == 1
	})
	two.Close()
	eventually(t, "none is", func() bool { return w.connections() == transport.Connections{} })
}

// A stream goes on while its instance drains, which new calls do not go to any
// more, and once it has left.
func TestStreamOutlivesItsInstancesPlace(t *testing.T) {
	w := newWorld(t, inTurnInAnyCase())
	a, b := start(t, "a"), start(t, "b")
	leaving := w.register(discovery.Instance{ID: "a", Service: "orders", Addr: a.addr})
	w.announce(b)
	conn := w.dial()
	warm(t, conn, a, b)
	var streams []grpc.ClientStream
	for range 2 {
		s, err := open(within(t), conn, chat)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	say := func() {
		t.Helper()
		for _, s := range streams {
			out := new(wrapperspb.StringValue)
			if err := s.SendMsg(wrapperspb.String("x")); err != nil {
				t.Fatal(err)
			}
			if err := s.RecvMsg(out); err != nil || out.Value != "x" {
				t.Fatal(err)
			}
		}
	}
	say()
	if err := leaving.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not connected to any more", func() bool { return w.connections().Ready == 1 })
	say()
	withdraw(t, leaving)
	eventually(t, "the mesh knows", func() bool { return len(w.mesh.Dump().Services[0].Instances) == 1 })
	say()
}
