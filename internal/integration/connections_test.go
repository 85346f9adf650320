package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// A service that etcd knows by its certificate registers and reads over TLS.
// Who has none of this authority is told why it cannot.
func TestClientCertificateIsEnough(t *testing.T) {
	t.Parallel()
	ca := etcdtest.NewCA(t)
	server := etcdtest.Start(t, etcdtest.WithTLS(ca))
	server.EnableAuth(t, etcdtest.User{Name: "orders", Write: prefix(t)})
	c := config(t, "https://"+server.Endpoint())
	c.Client.TLS = ca.Client("orders")
	r := open(t, c)
	register(t, r, "orders", "a", "10.0.0.1:80")
	watch(t, r, "orders").until("the instance", live("a"))

	c.Client.TLS = etcdtest.NewCA(t).Client("orders")
	stranger := open(t, c)
	reg, err := stranger.Register(t.Context(), discovery.Instance{Service: "orders", ID: "b", Addr: "10.0.0.2:80"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stranger is told why", func() bool {
		s := reg.State()
		return !s.Registered && strings.Contains(s.Reason, "etcd at") // and not "not announced yet"
	})
}

// All members of a cluster are replaced, one after the other, until none is
// left of those that the configuration names.
func TestClusterWhoseMembersAreReplaced(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	c := config(t, cluster.Endpoints()...)
	c.Client.AutoSyncInterval = time.Second
	r := open(t, c)
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))
	for i := range cluster.Members {
		cluster.Replace(t, i)
		cluster.Leader(t)
		since := time.Now()
		eventually(t, "a heartbeat since", func() bool { return r.Inspect().Lease.Heartbeat.After(since) })
		id := fmt.Sprint("new", i)
		one := register(t, open(t, config(t, cluster.Endpoints()...)), "orders", id, "10.0.0.9:80")
		w.until("who came since", live("a", id))
		if err := one.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.until("it gone", live("a"))
	}
	since := time.Now()
	eventually(t, "a proof since", func() bool { s := r.Inspect().Reads; return s.Connected && s.Heard.After(since) })
	if s := reg.State(); !s.Registered {
		t.Errorf("%+v", s)
	}
	other := open(t, config(t, cluster.Endpoints()...))
	register(t, other, "orders", "b", "10.0.0.2:80")
	w.until("who came later", live("a", "b"))
}
