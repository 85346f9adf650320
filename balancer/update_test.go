package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// What an update may cost when little changed: a list of ten thousand is not
// made again for one weight. Speed is for the benchmark.
func TestAnUpdateMakesOnlyWhatChanged(t *testing.T) {
	pool := newPool(t, nil)
	s := fixture.Snapshot("orders", 10_000)
	first := pool.Update(s, start)
	other := slices.Clone(s.Instances)
	other[5000] = new(*other[5000])
	other[5000].Weight = 7
	lists := [][]*discovery.Instance{s.Instances, other}
	turn := 0
	if got := testing.AllocsPerRun(100, func() {
		turn++
		s.Instances = lists[turn%2]
		pool.Update(s, start)
	}); got > 8 {
		t.Errorf("%v allocations for one weight", got)
	}
	if view := pool.View(); &view.Nodes[0] != &first.Nodes[0] || &view.Eligible(discovery.HTTP)[0] != &first.Nodes[0] {
		t.Error("the list of nodes was copied though it is the same")
	}
}

// Ten thousand instances take little memory beyond their own.
func TestMemoryOfTenThousand(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, endpoints := range []int{0, 2} {
		s := fixture.Snapshot("orders", 10_000)
		for _, i := range s.Instances {
			for _, p := range []discovery.Protocol{discovery.HTTP, discovery.GRPC}[:endpoints] {
				i.Endpoints = append(i.Endpoints, discovery.Endpoint{Protocol: p, Addr: i.Addr})
			}
		}
		before := heap()
		pool := newPool(t, nil)
		pool.Update(s, start)
		used := float64(heap()-before) / 1e6
		t.Logf("%d endpoints each: %.2f MB", endpoints, used)
		if used > 3 {
			t.Errorf("nodes, pool and view of 10 000 instances with %d endpoints take %.2f MB", endpoints, used)
		}
		runtime.KeepAlive(pool)
		runtime.KeepAlive(s)
	}
}

// A policy may look at what instances announce, so it is asked again when that
// changed, and not otherwise.
func TestWhenAPickerIsBuiltAgain(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *discovery.Snapshot)
		built  int
	}{
		{"nothing changes", func(*discovery.Snapshot) {}, 0},
		{"the state of the list", func(s *discovery.Snapshot) { s.State = discovery.Stale }, 0},
		{"a weight", func(s *discovery.Snapshot) { s.Instances[1].Weight = 7 }, 1},
		{"a zone", func(s *discovery.Snapshot) { s.Instances[1].Zone = "b" }, 1},
		{"one leaves", func(s *discovery.Snapshot) { s.Instances = s.Instances[1:] }, 1},
		{"one drains", func(s *discovery.Snapshot) { s.Instances[1].Draining = true }, 1},
		{"one that drains leaves", func(s *discovery.Snapshot) { s.Instances = s.Instances[:3] }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			built := 0
			pool := newPool(t, balancer.PolicyFunc(func(c balancer.Candidates) balancer.Picker {
				built++
				return balancer.Random{}.Picker(c)
			}))
			s := fixture.Snapshot("orders", 4)
			for _, i := range s.Instances {
				i.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: i.Addr}, {Protocol: discovery.GRPC, Addr: i.Addr}}
			}
			s.Instances[3].Draining = true
			pool.Update(s, start)
			if built != 1 {
				t.Fatalf("%d pickers for two protocols with the same nodes", built)
			}
			built = 0
			next := s
			next.Instances = slices.Clone(s.Instances)
			next.Instances[1] = new(*s.Instances[1])
			if tt.built == 0 {
				next.Instances[1] = s.Instances[1]
			}
			tt.change(&next)
			pool.Update(next, start)
			if built != tt.built {
				t.Errorf("%d pickers were built, want %d", built, tt.built)
			}
		})
	}
}

// Views hold what a naive reading of the snapshot says, whatever came before:
// who is there, and who may be chosen by which protocol.
func TestViewsFollowSnapshots(t *testing.T) {
	names := []discovery.Protocol{discovery.HTTP, discovery.GRPC, "redis", "smtp"}
	bits := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		pool := newPool(t, nil)
		known := fixture.Snapshot("orders", 12).Instances
		now := start
		for range 60 {
			now += time.Duration(bits.IntN(200)) * time.Second
			s := discovery.Snapshot{Service: "orders", State: discovery.Live}
			for n, i := range known {
				if bits.IntN(4) == 0 {
					i = new(*i)
					i.Draining = bits.IntN(3) == 0
					i.Addr = fmt.Sprintf("10.0.0.%d:80", n+20*bits.IntN(2))
					i.Endpoints = nil
					for range bits.IntN(4) {
						e := discovery.Endpoint{Protocol: names[bits.IntN(len(names))], Addr: i.Addr}
						if bits.IntN(4) == 0 {
							e.Addr = forbidden
						}
						i.Endpoints = append(i.Endpoints, e)
					}
					known[n] = i
				}
				if bits.IntN(3) > 0 {
					s.Instances = append(s.Instances, i)
				}
			}
			view := pool.Update(s, now)
			if !slices.EqualFunc(view.Nodes, s.Instances, func(n *balancer.Node, i *discovery.Instance) bool { return n.Instance() == i }) {
				t.Fatal("the nodes are not those of the snapshot")
			}
			passed := 0
			for _, i := range s.Instances {
				for _, e := range i.Endpoints {
					if e.Addr == forbidden {
						passed++
					}
				}
			}
			if view.Forbidden != passed || len(view.Violations) != min(passed, discovery.MaxRefusals) {
				t.Fatalf("%d endpoints forbidden, %d reasons, want %d", view.Forbidden, len(view.Violations), passed)
			}
			for _, p := range append(names, "other") {
				var want, draining []*balancer.Node
				for _, n := range view.Nodes {
					addr := addressOf(n.Instance(), p)
					switch {
					case addr != n.Endpoint(p):
						t.Fatalf("%s at %q, want %q", p, n.Endpoint(p), addr)
					case addr == "":
					case n.Instance().Draining:
						draining = append(draining, n)
					default:
						want = append(want, n)
					}
				}
				if len(want) == 0 {
					want = draining
				}
				if got := view.Eligible(p); !slices.Equal(got, want) {
					t.Fatalf("%d may be chosen by %s, want %d", len(got), p, len(want))
				}
			}
		}
	}
}

// forbidden is an address that no process may call by default.
const forbidden = "127.0.0.1:80"

// addressOf is where an instance is called by protocol p, "" if nowhere.
func addressOf(i *discovery.Instance, p discovery.Protocol) string {
	if len(i.Endpoints) == 0 {
		return i.Addr
	}
	for _, e := range i.Endpoints {
		if e.Protocol == p && e.Addr != forbidden {
			return e.Addr
		}
	}
	return ""
}

// Names of protocols are what registries say they are; those of the past take
// no place from those of the present.
func TestProtocolsOfThePastAreForgotten(t *testing.T) {
	pool := newPool(t, nil)
	now := start
	for round := range 10 {
		s := fixture.Snapshot("orders", 1)
		for n := range discovery.MaxEndpoints {
			name := discovery.Protocol(fmt.Sprintf("p%d-%d", round, n))
			s.Instances[0].Endpoints = append(s.Instances[0].Endpoints, discovery.Endpoint{Protocol: name, Addr: "10.0.0.1:80"})
		}
		now += time.Hour
		view := pool.Update(s, now)
		for _, e := range s.Instances[0].Endpoints {
			if view.Picker(e.Protocol) == nil {
				t.Errorf("nobody speaks %s", e.Protocol)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	nodes := newNodes(t, 5)
	moved := balancer.NewNode(*nodes[2].Instance(), 2)
	tests := []struct {
		name                       string
		earlier, later, left, came []*balancer.Node
	}{
		{"nothing", nodes, nodes, nil, nil},
		{"the first list", nil, nodes, nil, nodes},
		{"the last list", nodes, nil, nodes, nil},
		{"one leaves", nodes, slices.Concat(nodes[:2], nodes[3:]), nodes[2:3], nil},
		{"one comes", slices.Concat(nodes[:2], nodes[3:]), nodes, nil, nodes[2:3]},
		{"at the ends", nodes[1:], nodes[:4], nodes[4:], nodes[:1]},
		{"another node for the same instance", nodes, slices.Concat(nodes[:2], []*balancer.Node{moved}, nodes[3:]), nodes[2:3], []*balancer.Node{moved}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if left, came := balancer.Diff(tt.earlier, tt.later); !slices.Equal(left, tt.left) || !slices.Equal(came, tt.came) {
				t.Errorf("left: %d, came: %d", len(left), len(came))
			}
		})
	}
}
