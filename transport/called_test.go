package transport_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// subset leaves so many instances to be called, always the same.
func subset(size int) transport.Option {
	return transport.WithBalancing(balancer.Balancing{
		Policy: balancer.Random{}, OutlierDetection: balancer.OutlierDetection{Off: true}, Subset: balancer.Subset{Size: size, Seed: "me"},
	})
}

// numbered returns n instances of one version: v1-000, v1-001, …
func numbered(version string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s-%03d", version, i))
	}
	return ids
}

// calledOf collects who calls of orders may go to, each time that is told.
type calledOf struct {
	mu   sync.Mutex
	told [][]string
}

func followCalled(t *testing.T, m *transport.Mesh, p discovery.Protocol) *calledOf {
	t.Helper()
	called, err := m.Called(t.Context(), "orders", p)
	if err != nil {
		t.Fatal(err)
	}
	c := new(calledOf)
	go func() {
		for nodes := range called {
			var ids []string
			for _, n := range nodes {
				ids = append(ids, n.ID())
			}
			c.mu.Lock()
			c.told = append(c.told, ids)
			c.mu.Unlock()
		}
	}()
	synctest.Wait()
	return c
}

// last is who was told of last, and how often anybody was.
func (c *calledOf) last() (ids []string, told int) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.told) == 0 {
		return nil, 0
	}
	return c.told[len(c.told)-1], len(c.told)
}

// of counts those of a version.
func of(version string, ids []string) (count int) {
	for _, id := range ids {
		if strings.HasPrefix(id, version+"-") {
			count++
		}
	}
	return count
}

// on is a route of the calls with a path to a subset.
func on(path, subset string, strict bool) rule.Route {
	r := to(subset)
	r.Name = path
	r.Match, r.Strict = []rule.Match{{Path: &rule.Text{Exact: path}}}, strict
	return r
}

// calling makes a call with a path over HTTP.
func calling(t *testing.T, m *transport.Mesh, g governed, path string, options ...transport.CallOption) {
	t.Helper()
	call := get()
	call.Request = &seen{path: path}
	call.Apply(transport.WithCall(t.Context(), options...))
	if err := m.Do(t.Context(), call, g.Door(m)); err != nil {
		t.Fatal(err)
	}
}

// Who is called is told once, and again only with a change that concerns it.
func TestCalledIsToldWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions(numbered("v1", 50)...)
		m := newMesh(t, g, subset(5))
		c := followCalled(t, m, discovery.HTTP)
		settled()
		first, told := c.last()
		if len(first) != 5 || !slices.IsSorted(first) || told != 1 {
			t.Fatalf("%v are called, told %d times", first, told)
		}
		for _, id := range numbered("v1", 50) {
			if !slices.Contains(first, id) {
				g.Drain(id)
				g.Remove(id)
				break
			}
		}
		settled()
		if _, told := c.last(); told != 1 {
			t.Errorf("told %d times, of one that is not called", told)
		}
		g.Drain(first[2])
		settled()
		second, told := c.last()
		if kept := slices.DeleteFunc(slices.Clone(first), func(id string) bool { return !slices.Contains(second, id) }); len(second) != 5 || len(kept) != 4 || told != 2 {
			t.Errorf("one of %v drains: %v, told %d times", first, second, told)
		}
		g.Put(ordersPolicy())
		settled()
		if third, told := c.last(); !slices.Equal(third, second) || told != 3 {
			t.Errorf("rules that change must let waiting calls look again: %v, told %d times", third, told)
		}
	})
}

// Without a subset, or with a policy that has to see all, everybody is called.
func TestEverybodyIsCalled(t *testing.T) {
	for name, b := range map[string]balancer.Balancing{
		"SubsetOff": {Subset: balancer.Subset{Off: true}},
		"Hash":      {Policy: balancer.Maglev{}, Subset: balancer.Subset{Size: 5}},
		"Few":       {Subset: balancer.Subset{Size: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := followCalled(t, newMesh(t, versions(numbered("v1", 20)...), transport.WithBalancing(b)), discovery.HTTP)
				settled()
				if ids, _ := c.last(); len(ids) != 20 {
					t.Errorf("%d are called", len(ids))
				}
			})
		})
	}
}

// The first call on a route makes its instances called, who are drawn from those
// of the route; they leave once no call has used it for five minutes, and at once
// with the route.
func TestRoutesAreCalledAsLongAsTheyAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions(append(numbered("v1", 100), numbered("v2", 20)...)...)
		policy := ordersPolicy(on("/canary", "v2", true))
		m := obeying(t, g, policy, subset(5))
		c := followCalled(t, m, discovery.HTTP)
		grow := func(id string) { // a change of the list
			t.Helper()
			g.Add(fairleadtest.Instances("orders", id)...)
			settled()
		}
		settled()
		calling(t, m, g, "/")
		rest, told := c.last()
		if len(rest) != 5 {
			t.Fatalf("%d are called before there is a call on the route", len(rest))
		}
		calling(t, m, g, "/canary")
		first, toldNow := c.last()
		if n := of("v2", first) - of("v2", rest); len(first) != 5+n || of("v2", first) < 5 || of("v2", first) > 6 || told+1 != toldNow {
			t.Fatalf("with a call on the route %v are called", first)
		}
		for n := range 20 { // as often as the list may change
			grow(fmt.Sprint("x", n))
			time.Sleep(10 * time.Second)
		}
		if ids, _ := c.last(); of("v2", ids) < 5 {
			t.Errorf("three minutes later %v are called", ids)
		}
		time.Sleep(3 * time.Minute)
		grow("y")
		if ids, _ := c.last(); of("v2", ids) > 1 {
			t.Errorf("once nobody uses the route %v are called", ids)
		}
		calling(t, m, g, "/canary")
		if ids, _ := c.last(); of("v2", ids) < 5 {
			t.Errorf("and when it is used again %v", ids)
		}
		time.Sleep(2 * time.Minute)
		calling(t, m, g, "/canary")
		g.Put(ordersPolicy())
		settled()
		if ids, _ := c.last(); of("v2", ids) > 1 {
			t.Errorf("without the route %v are called", ids)
		}
	})
}

// One change of the list is one change of a route's part as well.
func TestOneChangeIsOneOfEachSelection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions(append(numbered("v1", 200), numbered("v2", 100)...)...)
		m := obeying(t, g, ordersPolicy(on("/canary", "v2", true)), subset(10))
		c := followCalled(t, m, discovery.HTTP)
		calling(t, m, g, "/canary")
		time.Sleep(2 * time.Minute) // what the first call asked for by itself is forgotten
		for n := range 30 {
			before, _ := c.last()
			victim := before[rand.IntN(len(before))]
			g.Drain(victim)
			settled()
			after, _ := c.last()
			came := 0
			for _, id := range after {
				if !slices.Contains(before, id) {
					came++
				}
			}
			if came > 2 || n > 0 && len(after) > 20 {
				t.Errorf("%s drains, and %d come: %v, then %v", victim, came, before, after)
			}
			calling(t, m, g, "/canary")
		}
	})
}

// The instance of a pinned call is called for a minute, whatever it is.
func TestPinnedIsCalledForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions(numbered("v1", 100)...)
		m := obeying(t, g, ordersPolicy(), subset(5), transport.WithPinning())
		c := followCalled(t, m, discovery.HTTP)
		rest, _ := c.last()
		var other string
		for _, other = range numbered("v1", 100) {
			if !slices.Contains(rest, other) {
				break
			}
		}
		g.Drain(other)
		settled()
		calling(t, m, g, "/", transport.Instance(other))
		if ids, _ := c.last(); !slices.Contains(ids, other) || len(ids) != 6 {
			t.Errorf("%s is not among %v", other, ids)
		}
		time.Sleep(61 * time.Second)
		g.Add(fairleadtest.Instances("orders", "x")...)
		settled()
		if ids, _ := c.last(); slices.Contains(ids, other) {
			t.Errorf("a minute later %v are called", ids)
		}
	})
}

// Routes of calls over one protocol are not connected to by another, where the
// instances are not the same.
func TestCalledIsByProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := versions(append(numbered("v1", 100), numbered("v2", 20)...)...)
		for n, id := range append(numbered("v1", 100), numbered("v2", 20)...) {
			i := fairleadtest.Instances("orders", id)[0]
			i.Version, _, _ = strings.Cut(id, "-")
			i.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: i.Addr}, {Protocol: discovery.GRPC, Addr: i.Addr}}
			if n%2 == 0 {
				i.Endpoints = i.Endpoints[:1]
			}
			g.Update(i)
		}
		m := obeying(t, g, ordersPolicy(on("/canary", "v2", true)), subset(5))
		c := followCalled(t, m, discovery.GRPC)
		before, _ := c.last()
		calling(t, m, g, "/canary")
		time.Sleep(2 * time.Minute)
		g.Add(fairleadtest.Instances("orders", "x")...)
		settled()
		if after, _ := c.last(); len(before) != 5 || !slices.Equal(before, after) {
			t.Errorf("%v are called over gRPC, then %v", before, after)
		}
	})
}

// A call goes by its rules to its end, and so does whom it waits for: rules that
// come between its pick and the connection, or before its pick, take nothing from
// it.
func TestWhoACallWaitsForStaysCalled(t *testing.T) {
	for name, late := range map[string]bool{"RulesChangeAfterThePick": true, "RulesChangeBeforeThePick": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := versions(append(numbered("v1", 100), numbered("v2", 20)...)...)
				m := obeying(t, g, ordersPolicy(on("/canary", "v2", true)), subset(5))
				c := followCalled(t, m, discovery.HTTP)
				call := get()
				call.Request = &seen{path: "/canary"}
				_ = m.Do(t.Context(), call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					if !late {
						g.Put(ordersPolicy())
						settled()
					}
					if _, err := m.Acquire(ctx, call, only("")); !errors.Is(err, transport.ErrNotReady) {
						t.Errorf("error is %v", err)
					}
					if late {
						g.Put(ordersPolicy())
						settled()
					}
					if ids, _ := c.last(); of("v2", ids) < 5 {
						t.Errorf("called are %v", ids)
					}
					return ended
				}))
			})
		})
	}
}

// connected is a door that can send to those that it was told are called, like
// gRPC: a call that finds nobody ready tries again when it is told anew, and only
// then.
type connected struct {
	mu    sync.Mutex
	ready map[*balancer.Node]bool
	anew  chan struct{}
}

func (c *connected) follow(nodes []*balancer.Node) {
	ready := map[*balancer.Node]bool{}
	for _, n := range nodes {
		ready[n] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = ready
	close(c.anew)
	c.anew = make(chan struct{})
}

// gate is what one pick sees of a door.
type gate map[*balancer.Node]bool

func (g gate) Ready(n *balancer.Node) bool { return g[n] }
func (g gate) Opening() bool               { return true }

func (c *connected) acquire(ctx context.Context, m *transport.Mesh, call *transport.Call) (transport.Lease, error) {
	for {
		c.mu.Lock()
		ready, anew := c.ready, c.anew
		c.mu.Unlock()
		lease, err := m.Acquire(ctx, call, gate(ready))
		if !errors.Is(err, transport.ErrNotReady) {
			return lease, err
		}
		select {
		case <-anew:
		case <-ctx.Done():
			return lease, ctx.Err()
		}
	}
}

// Whatever the list, the rules and other calls do meanwhile, no call waits for
// somebody whom nobody connects to.
func TestNobodyWaitsForWhoIsNotCalled(t *testing.T) {
	ids := slices.Concat(numbered("v1", 200), numbered("v2", 60))
	g := versions(ids...)
	with := func(routes ...rule.Route) rule.Policy {
		p := ordersPolicy(routes...)
		p.Spec.Lane = &rule.Lane{Label: "lane", Key: "baggage:lane"}
		return p
	}
	policies := []rule.Policy{
		with(on("/a", "v2", true), on("/b", "v2", false), on("/c", "v1", true)),
		with(on("/a", "v1", true), on("/b", "v2", false)),
		with(),
	}
	m := obeying(t, g, policies[0], subset(3), transport.WithPinning())
	called, err := m.Called(t.Context(), "orders", discovery.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	door := &connected{anew: make(chan struct{})}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		for nodes := range called {
			door.follow(nodes)
		}
	})
	all.Go(func() { // what happens meanwhile
		for n := 0; ctx.Err() == nil; n++ {
			id := ids[rand.IntN(len(ids))]
			i := fairleadtest.Instances("orders", id)[0]
			i.Version, _, _ = strings.Cut(id, "-")
			i.Draining = n%2 == 0
			if n%3 == 0 {
				i.Meta = map[string]string{"lane": fmt.Sprint(rand.IntN(5))}
			}
			g.Update(i)
			if n%20 == 0 {
				g.Put(policies[n/20%len(policies)])
			}
			time.Sleep(time.Millisecond)
		}
	})
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 300 {
				call := put()
				call.Request = &seen{path: []string{"/", "/a", "/b", "/c"}[rand.IntN(4)], baggage: map[string]string{"lane": fmt.Sprint(rand.IntN(8))}}
				if rand.IntN(10) == 0 {
					call.Apply(transport.WithCall(ctx, transport.Instance(ids[rand.IntN(len(ids))])))
				}
				within, done := context.WithTimeout(ctx, 20*time.Second)
				err := m.Do(within, call, tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
					time.Sleep(time.Duration(rand.IntN(2)) * time.Millisecond) // for rules to change meanwhile
					lease, err := door.acquire(ctx, m, call)
					if err != nil {
						return transport.Outcome{Err: err}
					}
					lease.Done(ended)
					return ended
				}))
				done()
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a call waited in vain: %v", err)
				}
			}
		})
	}
	calls.Wait()
	cancel()
	m.Close(t.Context())
	all.Wait()
}

// Health checks cost those that are called, and no others.
func TestOnlyTheCalledAreProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		probed := map[string]bool{}
		prober := balancer.ProberFunc(func(_ context.Context, n *balancer.Node) error {
			mu.Lock()
			defer mu.Unlock()
			probed[n.ID()] = true
			return nil
		})
		g := versions(append(numbered("v1", 100), numbered("v2", 20)...)...)
		m := obeying(t, g, ordersPolicy(on("/canary", "v2", true)), subset(5), transport.WithHealthCheck(balancer.HealthCheck{}, prober))
		c := followCalled(t, m, discovery.HTTP)
		for _, path := range []string{"/", "/canary"} {
			calling(t, m, g, path)
			time.Sleep(time.Minute)
			called, _ := c.last()
			mu.Lock()
			if got := slices.Sorted(maps.Keys(probed)); !slices.Equal(got, called) {
				t.Errorf("%v were probed, called are %v", got, called)
			}
			mu.Unlock()
		}
	})
}

func TestCalledRefusesABadName(t *testing.T) {
	if _, err := newMesh(t, orders()).Called(t.Context(), "Orders", discovery.HTTP); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
}
