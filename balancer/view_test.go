package balancer_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
)

// Who may be chosen, by protocol, from a list of three: a, b and c.
func TestWhoMayBeChosen(t *testing.T) {
	const redis = discovery.Protocol("redis")
	at := func(addr string, protocols ...discovery.Protocol) (es []discovery.Endpoint) {
		for _, p := range protocols {
			es = append(es, discovery.Endpoint{Protocol: p, Addr: addr})
		}
		return es
	}
	tests := []struct {
		name    string
		prepare func(a, b, c *discovery.Instance)
		want    map[discovery.Protocol]string
	}{
		{"addresses without endpoints speak anything",
			func(_, _, _ *discovery.Instance) {},
			map[discovery.Protocol]string{discovery.HTTP: "abc", discovery.GRPC: "abc", redis: "abc"}},
		{"endpoints speak what they say",
			func(a, b, _ *discovery.Instance) {
				a.Endpoints = at("10.0.0.1:1", discovery.HTTP)
				b.Endpoints = at("10.0.0.1:2", discovery.GRPC, redis)
			},
			map[discovery.Protocol]string{discovery.HTTP: "ac", discovery.GRPC: "bc", redis: "bc", "smtp": "c"}},
		{"nobody speaks it",
			func(a, b, c *discovery.Instance) {
				for _, i := range []*discovery.Instance{a, b, c} {
					i.Endpoints = at("10.0.0.1:1", discovery.GRPC)
				}
			},
			map[discovery.Protocol]string{discovery.HTTP: "", discovery.GRPC: "abc", redis: ""}},
		{"a unix socket that is not allowed is no way",
			func(a, _, _ *discovery.Instance) { a.Endpoints = at("unix:/run/a.sock", discovery.HTTP) },
			map[discovery.Protocol]string{discovery.HTTP: "bc"}},
		{"who drains is passed over",
			func(_, b, _ *discovery.Instance) { b.Draining = true },
			map[discovery.Protocol]string{discovery.HTTP: "ac", discovery.GRPC: "ac"}},
		{"unless there is nobody else",
			func(a, b, c *discovery.Instance) { a.Draining, b.Draining, c.Draining = true, true, true },
			map[discovery.Protocol]string{discovery.HTTP: "abc", discovery.GRPC: "abc"}},
		{"nobody else who speaks it",
			func(a, b, c *discovery.Instance) {
				a.Draining = true
				b.Endpoints, c.Endpoints = at("10.0.0.1:1", discovery.HTTP), at("10.0.0.1:2", discovery.HTTP)
			},
			map[discovery.Protocol]string{discovery.HTTP: "bc", discovery.GRPC: "a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fixture.Snapshot("orders", 3)
			for i, id := range []string{"a", "b", "c"} {
				s.Instances[i].ID = id
			}
			tt.prepare(s.Instances[0], s.Instances[1], s.Instances[2])
			view := newPool(t, nil).Update(s, start)
			for protocol, want := range tt.want {
				var got strings.Builder
				for _, n := range view.Eligible(protocol) {
					got.WriteString(n.ID())
					if n.Endpoint(protocol) == "" {
						t.Errorf("%s: %s may be chosen and has no address", protocol, n.ID())
					}
				}
				if got.String() != want {
					t.Errorf("%s: %q may be chosen, want %q", protocol, got.String(), want)
				}
				picker := view.Picker(protocol)
				if (picker != nil) != (want != "") {
					t.Fatalf("%s: picker is %v", protocol, picker)
				}
				if picker == nil {
					continue
				}
				seen := map[string]bool{}
				for bits := range uint64(64) {
					seen[picker.Pick(balancer.Request{Now: start, Rand: bits << 58}).ID()] = true
				}
				if len(seen) != len(want) {
					t.Errorf("%s: chosen are %v, want all of %q", protocol, seen, want)
				}
			}
		})
	}
}

func TestAnEmptyListHasNoPicker(t *testing.T) {
	view := newPool(t, nil).Update(fixture.Snapshot("orders", 0), start)
	if view.Snapshot.State != discovery.Live || view.Picker(discovery.HTTP) != nil || view.Eligible(discovery.HTTP) != nil {
		t.Errorf("view is %+v", view)
	}
}

func TestNodesAreInTheOrderOfTheSnapshot(t *testing.T) {
	pool := newPool(t, nil)
	pool.Update(fixture.Snapshot("orders", 3), start)
	view := pool.Update(fixture.Snapshot("orders", 9), start)
	if !slices.EqualFunc(view.Nodes, view.Snapshot.Instances, func(n *balancer.Node, i *discovery.Instance) bool { return n.ID() == i.ID }) {
		t.Error("nodes and instances differ")
	}
}

// A picker has state in one policy, round robin; two protocols that may choose
// the same nodes share it.
func TestProtocolsWithTheSameNodesShareAPicker(t *testing.T) {
	view := newPool(t, balancer.RoundRobin{}).Update(fixture.Snapshot("orders", 3), start)
	if view.Picker(discovery.HTTP) != view.Picker(discovery.GRPC) {
		t.Error("http and grpc take turns apart from each other")
	}
}

// An instance that may not be called is there to be seen, and is never chosen.
func TestForbiddenInstanceIsNotEligible(t *testing.T) {
	s := fixture.Snapshot("orders", 3)
	bad := *s.Instances[1]
	bad.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "169.254.169.254:80"}, {Protocol: discovery.GRPC, Addr: "10.0.0.9:81"}}
	s.Instances[1] = &bad
	view := newPool(t, nil).Update(s, start)
	if len(view.Nodes) != 3 || len(view.Eligible(discovery.HTTP)) != 2 || len(view.Eligible(discovery.GRPC)) != 3 {
		t.Errorf("%d nodes, %d eligible for HTTP, %d for gRPC; want 3, 2 and 3",
			len(view.Nodes), len(view.Eligible(discovery.HTTP)), len(view.Eligible(discovery.GRPC)))
	}
	if got := view.Nodes[1].Endpoint(discovery.HTTP); got != "" {
		t.Errorf("HTTP at %q", got)
	}
	if view.Forbidden != 1 || len(view.Violations) != 1 || view.Violations[0].Key != bad.ID || !strings.Contains(view.Violations[0].Reason, "169.254.169.254:80") {
		t.Errorf("%d forbidden, %v; want the one of %s", view.Forbidden, view.Violations, bad.ID)
	}
}

// However many records are hostile, the reasons kept are few and the same.
func TestViolationsAreBounded(t *testing.T) {
	s := fixture.Snapshot("orders", 100)
	for n, i := range s.Instances {
		bad := *i
		bad.Addr = "127.0.0.1:" + strconv.Itoa(n+1)
		s.Instances[n] = &bad
	}
	view := newPool(t, nil).Update(s, start)
	if view.Forbidden != 100 || len(view.Violations) != discovery.MaxRefusals || view.Violations[0].Key != s.Instances[0].ID {
		t.Errorf("%d forbidden, %d reasons, the first of %s", view.Forbidden, len(view.Violations), view.Violations[0].Key)
	}
	if view.Picker(discovery.HTTP) != nil {
		t.Error("there is somebody to pick")
	}
}

func TestEndpointIsTheOneThatMayBeUsed(t *testing.T) {
	const socket = "unix:/run/mesh/a.sock"
	s := fixture.Snapshot("orders", 1)
	s.Instances[0].BootID = discovery.BootID()
	s.Instances[0].Endpoints = []discovery.Endpoint{
		{Protocol: discovery.HTTP, Addr: "10.0.0.1:80"},
		{Protocol: discovery.HTTP, Addr: socket},
		{Protocol: discovery.GRPC, Addr: socket},
	}
	t.Run("unix sockets not allowed", func(t *testing.T) {
		view := newPool(t, nil).Update(s, start)
		if got := view.Nodes[0].Endpoint(discovery.HTTP); got != "10.0.0.1:80" {
			t.Errorf("http at %q", got)
		}
		if got := view.Nodes[0].Endpoint(discovery.GRPC); got != "" {
			t.Errorf("grpc at %q", got)
		}
		if view.Ignored != 2 {
			t.Errorf("%d endpoints were ignored, want 2", view.Ignored)
		}
	})
	t.Run("allowed below a directory, they come first", func(t *testing.T) {
		if discovery.BootID() == "" {
			t.Skip("this system does not name its boots")
		}
		pool, err := balancer.NewPool(balancer.PoolConfig{Reach: discovery.Reach{UnixDir: "/run/mesh"}})
		if err != nil {
			t.Fatal(err)
		}
		view := pool.Update(s, start)
		if got := view.Nodes[0].Endpoint(discovery.HTTP); got != socket {
			t.Errorf("http at %q", got)
		}
		if view.Ignored != 0 {
			t.Errorf("%d endpoints were ignored", view.Ignored)
		}
	})
}
