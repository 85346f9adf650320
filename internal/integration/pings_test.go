package integration_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// A connection over which nothing is under way is not pinged: etcd would take
// that for an attack and close it (GOAWAY, too many pings), again and again.
// With a long TTL there is a heartbeat every minute or so and nothing between.
func TestIdleConnectionsAreLeftInPeace(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	proxy := tcpproxy.New(t, server.Endpoint())
	c := config(t, proxy.Addr())
	c.TTL = 5 * time.Minute
	r := open(t, c)
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	during(t, 50*time.Second) // five pings, of which the third is one too many
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections for one registration at rest, want the first alone", n)
	}
	if s := reg.State(); !s.Registered || s.Repairs != 0 {
		t.Errorf("%+v", s)
	}
}
