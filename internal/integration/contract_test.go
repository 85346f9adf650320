package integration_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

func TestEtcdKeepsTheContract(t *testing.T) {
	server := etcdtest.Shared(t)
	discoverytest.Run(t, discoverytest.Harness{
		New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
			r := open(t, config(t, server.Endpoint()))
			return discoverytest.Fixture{Registry: r, Registrar: r, Writer: discoverytest.Through(t, r, instances...)}
		},
	})
}
