package transport_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// local is a registry that says where what it tells comes from.
type local struct {
	scripted
	is bool
}

func (l local) Local() bool { return l.is }

func TestLoopbackIsAllowedWhereTheRegistryIsLocal(t *testing.T) {
	lan := discovery.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, row := range []struct {
		name     string
		registry discovery.Registry
		reach    discovery.Reach
		want     bool
	}{
		{"a registry that does not say", make(scripted), discovery.Reach{}, false},
		{"a registry that says no", local{is: false}, discovery.Reach{}, false},
		{"a registry that says yes", local{is: true}, discovery.Reach{}, true},
		{"a list in code", new(discovery.Static), discovery.Reach{}, true},
		{"a registry in memory", new(discovery.Memory), discovery.Reach{}, true},
		{"a registry for tests", orders(), discovery.Reach{}, true},
		{"yes, and the networks are named", local{is: true}, lan, false},
		{"no, and code allows it", local{is: false}, discovery.Reach{Loopback: true}, true},
		{"no, and code allows it beside networks", local{is: false}, discovery.Reach{Loopback: true, Networks: lan.Networks}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := newMesh(t, row.registry, transport.WithReach(row.reach)).Reach(); got.Loopback != row.want {
				t.Errorf("%+v, want loopback %t", got, row.want)
			}
		})
	}
}

// hostile is a live list of one instance at a good address, and of one at the
// address of a cloud's metadata service.
func hostile() discovery.Snapshot {
	s := snapshotOf(discovery.Live)
	s.Instances = discovery.List(
		fairleadtest.Instances("orders", "good")[0],
		discovery.Instance{ID: "evil", Service: "orders", Addr: "169.254.169.254:80"},
	)
	s.Dropped, s.Drops = 3, []discovery.Refusal{{Key: "evil", Reason: "3 entries"}}
	return s
}

// A forbidden endpoint is called by nobody, and that is told: once in the log,
// in a metric, and in the dump for as long as it is so.
func TestForbiddenEndpointsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, meters := make(scripted), new(meters)
		var log logged
		m := newMesh(t, registry, log.option(), transport.WithMeterProvider(meters))
		go func() { // ends with the test's words
			registry.say(hostile(), nil)
			registry.say(hostile(), nil)
		}()
		for range 20 {
			if err := m.Do(t.Context(), get(), acquiring(m, func(lease transport.Lease) transport.Outcome {
				if id := lease.Node().ID(); id != "good" {
					t.Errorf("%s was picked", id)
				}
				return transport.Outcome{Class: transport.Success}
			})); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		d := service(t, m)
		if d.Forbidden != 1 || len(d.Violations) != 1 || d.Violations[0].Key != "evil" || !strings.Contains(d.Violations[0].Reason, "metadata") {
			t.Errorf("the dump shows %d forbidden endpoints, %v", d.Forbidden, d.Violations)
		}
		if d.Dropped != 3 || len(d.Drops) != 1 {
			t.Errorf("the dump shows %d entries of metadata dropped, %v", d.Dropped, d.Drops)
		}
		values := meters.collect(t).values
		if values["fairlead.endpoints service=orders state=forbidden"] != 1 || values["fairlead.metadata.dropped service=orders"] != 3 {
			t.Errorf("metrics %v", values)
		}
		for _, text := range []string{"forbidden by the address policy", "metadata was left out"} {
			if n := log.lines(text); n != 1 {
				t.Errorf("%d log lines say %q, want 1", n, text)
			}
		}
	})
}

func TestCallOfForbiddenInstancesSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := make(scripted)
		m := newMesh(t, registry)
		s := hostile()
		s.Instances = s.Instances[:1] // evil
		go registry.say(s, nil)
		err := m.Do(t.Context(), get(), acquiring(m, func(transport.Lease) transport.Outcome {
			t.Error("somebody was picked")
			return transport.Outcome{}
		}))
		if !errors.Is(err, balancer.ErrNoInstances) || !errors.Is(err, discovery.ErrForbidden) || !strings.Contains(err.Error(), `evil at "169.254.169.254:80"`) {
			t.Errorf("error %v", err)
		}
	})
}

// Each refused socket is counted; the log hears of it every ten seconds.
func TestForbiddenSocketsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		meters := new(meters)
		registry := make(scripted)
		m := newMesh(t, registry, log.option(), transport.WithMeterProvider(meters))
		go registry.say(hostile(), nil)
		knowing(t, m)
		for range 3 {
			for range 5 {
				if err := m.CheckSocket("orders", "tcp4", "127.0.0.1:80"); !errors.Is(err, discovery.ErrForbidden) {
					t.Errorf("error %v, want ErrForbidden", err)
				}
			}
			time.Sleep(6 * time.Second)
		}
		if err := m.CheckSocket("orders", "tcp4", "10.0.0.7:80"); err != nil {
			t.Errorf("a good address: %v", err)
		}
		if err := m.CheckSocket("nobody-called", "tcp4", "127.0.0.1:80"); !errors.Is(err, discovery.ErrForbidden) {
			t.Errorf("of a service that is not known: error %v, want ErrForbidden", err)
		}
		if n := service(t, m).ForbiddenSockets; n != 15 {
			t.Errorf("the dump shows %d, want 15", n)
		}
		if n := meters.collect(t).values["fairlead.client.connections.forbidden service=orders"]; n != 15 {
			t.Errorf("the metric is %v, want 15", n)
		}
		if n := log.lines("a connection was not made"); n != 2 {
			t.Errorf("%d log lines in 12 s, want 2", n)
		}
	})
}
