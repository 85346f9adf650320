package integration_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// A connection over which nothing is under way is not pinged: etcd would take
// that for an attack and close it (GOAWAY, too many pings), again and again.
// The members of a cluster take turns, so that each hears little of a process
// with one registration and a long TTL.
func TestIdleConnectionsAreLeftInPeace(t *testing.T) {
	if race {
		t.Skip("nothing happens for most of a minute")
	}
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	var proxies []*tcpproxy.Proxy
	var endpoints []string
	for _, e := range cluster.Endpoints() {
		proxies = append(proxies, tcpproxy.New(t, e))
		endpoints = append(endpoints, proxies[len(proxies)-1].Addr())
	}
	c := config(t, endpoints...)
	c.TTL = 5 * time.Minute
	r := open(t, c)
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	during(t, 45*time.Second) // four pings, of which the third is one too many
	for n, p := range proxies {
		if made := p.Accepted(); made > 1 {
			t.Errorf("%d connections to member %d for one registration at rest, want the first alone", made, n)
		}
	}
	if s := reg.State(); !s.Registered || s.Repairs != 0 {
		t.Errorf("%+v", s)
	}
}
