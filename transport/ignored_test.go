package transport_test

import (
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// A unix endpoint that may not be used here is passed over, and that is told:
// once in the log, and in the dump for as long as it is so.
func TestIgnoredUnixEndpointsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instance := fairleadtest.Instances("orders", "a")[0]
		instance.Endpoints = []discovery.Endpoint{
			{Protocol: discovery.HTTP, Addr: "unix:/run/a.sock"}, {Protocol: discovery.HTTP, Addr: instance.Addr},
		}
		fleet := fairleadtest.NewFleet(instance)
		var log logged
		m := newMesh(t, fleet, log.option())
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Fatal(err)
		}
		if _, err := fleet.Register(t.Context(), fairleadtest.Instances("orders", "b")[0]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := service(t, m).Ignored; n != 1 {
			t.Errorf("the dump shows %d ignored endpoints, want 1", n)
		}
		if n := log.lines("were ignored"); n != 1 {
			t.Errorf("%d log lines tell of it, want 1", n)
		}
	})
}
