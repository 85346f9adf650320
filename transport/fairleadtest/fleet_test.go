package fairleadtest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// listed returns the instances that a mesh sees of orders, draining ones in
// brackets.
func listed(t *testing.T, m *transport.Mesh) string {
	t.Helper()
	synctest.Wait()
	var ids []string
	for _, s := range m.Dump().Services {
		for _, i := range s.Instances {
			if i.Draining {
				i.ID = "(" + i.ID + ")"
			}
			ids = append(ids, i.ID)
		}
	}
	return strings.Join(ids, " ")
}

func TestFleetIsARegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
		m := newMesh(t, fleet)
		if err := call(t.Context(), m, fleet); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, m); got != "a b" {
			t.Errorf("begins with %q", got)
		}
		fleet.Add(fairleadtest.Instances("orders", "c")...)
		fleet.Remove("a")
		fleet.Drain("b")
		if got := listed(t, m); got != "(b) c" {
			t.Errorf("then has %q", got)
		}
		c := fairleadtest.Instances("orders", "c")[0]
		c.Zone = "z2"
		fleet.Update(c)
		synctest.Wait()
		if got := m.Dump().Services[0].Instances[1].Zone; got != "z2" {
			t.Errorf("zone is %q", got)
		}
	})
}

// A change during an outage does not hold up the test, and is seen after it.
func TestFleetChangesDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a", "b")...)
		m := newMesh(t, fleet)
		call(t.Context(), m, fleet)
		fleet.Fail(errors.New("cut off"))
		fleet.Remove("a")
		if got := listed(t, m); got != "a b" {
			t.Errorf("during the outage: %q", got)
		}
		fleet.Heal()
		if got := listed(t, m); got != "b" {
			t.Errorf("after it: %q", got)
		}
	})
}

// What a test says wrong is a panic with a word on what was wrong.
func TestFleetPanicsWhenMisused(t *testing.T) {
	tests := []struct {
		name string
		do   func(*fairleadtest.Fleet)
		want string
	}{
		{"the same instance twice", func(f *fairleadtest.Fleet) { f.Add(fairleadtest.Instances("orders", "a")...) }, `"a"`},
		{"a bad name", func(f *fairleadtest.Fleet) { f.Add(fairleadtest.Instances("Orders", "b")...) }, `"Orders"`},
		{"nobody to remove", func(f *fairleadtest.Fleet) { f.Remove("x") }, `no instance "x"`},
		{"nobody to drain", func(f *fairleadtest.Fleet) { f.Drain("x") }, `no instance "x"`},
		{"another service", func(f *fairleadtest.Fleet) { f.Update(fairleadtest.Instances("users", "a")[0]) }, `"users"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, tt.want) {
					t.Errorf("it says %q, want %q in it", said, tt.want)
				}
			}()
			tt.do(fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...))
		})
	}
}

func TestInstancesHaveTheSameValidAddressAlways(t *testing.T) {
	first, second := fairleadtest.Instances("orders", "a", "b"), fairleadtest.Instances("orders", "b")
	if first[1].Addr != second[0].Addr || first[0].Addr == first[1].Addr || first[0].Addr == fairleadtest.Instances("users", "a")[0].Addr {
		t.Errorf("addresses are %s, %s and %s", first[0].Addr, first[1].Addr, second[0].Addr)
	}
	for _, i := range first {
		if err := i.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// Instances that announce themselves, as servers do, are in the fleet too.
func TestFleetKnowsWhoRegistersByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet()
		m := newMesh(t, fleet)
		i := discovery.Instance{ID: "self", Service: "orders", Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:80"}}}
		if _, err := m.Register(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		fleet.Play("self", fairleadtest.Reset())
		if err := call(t.Context(), m, fleet); err == nil {
			t.Error("it does not play its reply")
		}
		fleet.Drain("self")
		synctest.Wait()
		fleet.Remove("self")
		synctest.Wait()
		if err := call(t.Context(), m, fleet); !errors.Is(err, balancer.ErrNoInstances) {
			t.Errorf("after its removal: %v", err)
		}
	})
}

var _ interface {
	discovery.Registry
	discovery.Registrar
} = (*fairleadtest.Fleet)(nil)
