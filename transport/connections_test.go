package transport_test

import (
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/transport"
)

// What clients count of their connections is added up, by state and nothing else:
// a series per instance would be thousands.
func TestConnectionsShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meters := new(meters)
		m := knowing(t, newMesh(t, orders("a", "b"), transport.WithMeterProvider(meters)))
		if _, there := meters.collect(t).values["fairlead.client.connections service=orders state=ready"]; there || service(t, m).Connections != nil {
			t.Error("connections are shown that nobody counts")
		}
		first := transport.Connections{Ready: 2, Connecting: 3}
		m.CountConnections("orders", transport.Connections{}, first)
		m.CountConnections("orders", transport.Connections{}, transport.Connections{Ready: 1, Failed: 7})
		m.CountConnections("orders", first, transport.Connections{Ready: 4, Idle: 1})
		m.CountConnections("nobody", transport.Connections{}, first)
		got := meters.collect(t).values
		for state, want := range map[string]float64{"ready": 5, "connecting": 0, "idle": 1, "failed": 7} {
			if v, there := got["fairlead.client.connections service=orders state="+state]; !there || v != want {
				t.Errorf("%v are %s, want %v", v, state, want)
			}
		}
		if d := service(t, m).Connections; d == nil || *d != (transport.Connections{Ready: 5, Idle: 1, Failed: 7}) {
			t.Errorf("dumped are %+v", d)
		}
		m.Close(t.Context())
		m.CountConnections("orders", first, transport.Connections{})
	})
}
