package fairhttp_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// The registry forgets everybody. Calls go on to those that live; the first
// that finds nobody listening lets go of the dead.
func TestHeldInstanceThatRefusesConnectionsIsLetGo(t *testing.T) {
	alive, doomed := serve(t, say("hello")), serve(t, say("hello"))
	orders := newService(t)
	var all []discovery.Registration
	for _, addr := range []string{alive.addr(), doomed.addr()} {
		all = append(all, orders.add(t, addr))
	}
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	fetch(t, client, "GET", "mesh://orders/", "")
	for _, r := range all {
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "both are held", func() bool { return orders.mesh.Dump().Services[0].Preserved.Held == 2 })
	doomed.Close()
	calls := func() {
		for range 4 {
			if _, body := fetch(t, client, "GET", "mesh://orders/", ""); body != "hello" {
				t.Errorf("a call was answered with %q", body)
			}
		}
	}
	calls()
	until(t, "the dead one is let go of", func() bool {
		s := orders.mesh.Dump().Services[0]
		return s.Preserved.Gone == 1 && len(s.Instances) == 1 && s.Instances[0].Addr == alive.addr()
	})
	calls()
}
