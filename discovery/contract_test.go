package discovery_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
)

func TestStaticKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			r, err := discovery.NewStatic(instances...)
			if err != nil {
				t.Fatal(err)
			}
			return discoverytest.Fixture{Registry: r}
		},
	})
}

func TestMemoryKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, discoverytest.Harness{
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			m := new(discovery.Memory)
			t.Cleanup(m.Close)
			return discoverytest.Fixture{Registry: m, Registrar: m, Writer: discoverytest.Through(t, m, instances...)}
		},
	})
}
