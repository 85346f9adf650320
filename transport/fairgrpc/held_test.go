package fairgrpc_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// The registry forgets everybody. Calls go on over the connections there are;
// an instance that cannot be connected to is never called here, and is let go
// of all the same.
func TestHeldInstanceThatCannotBeConnectedToIsLetGo(t *testing.T) {
	for _, tt := range []struct {
		name string
		dies bool // before the registry forgets
	}{{"it dies later", false}, {"it was dead already", true}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a, b := start(t, "a"), start(t, "b")
			var all []discovery.Registration
			for _, backend := range []*backend{a, b} {
				all = append(all, w.register(discovery.Instance{ID: backend.id, Service: "orders", Addr: backend.addr}))
			}
			conn := w.dial()
			warm(t, conn, a, b)
			if tt.dies {
				b.kill()
			}
			for _, r := range all {
				withdraw(t, r)
			}
			eventually(t, "both are held", func() bool { return w.mesh.Dump().Services[0].Preserved.Held == 2 })
			if !tt.dies {
				b.kill()
			}
			eventually(t, "the dead one is let go of", func() bool {
				mustCall(t, conn, get, "")
				s := w.mesh.Dump().Services[0]
				return s.Preserved.Gone == 1 && len(s.Instances) == 1 && s.Instances[0].ID == "a" && s.Instances[0].Held
			})
		})
	}
}
