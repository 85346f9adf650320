package fleet_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
)

func TestMain(m *testing.M) { etcdtest.Main(m, fleet.Role) }

func TestInstanceRegistersAndLeavesInOrder(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	f := fleet.New(t, fleet.Registry{Endpoints: []string{server.Endpoint()}, TTL: 10 * time.Second}, "orders", 0)
	i := f.Start(2)[1]
	if i.ID != "i1" || len(f.Running()) != 2 {
		t.Fatalf("the second instance is %s of %d", i.ID, len(f.Running()))
	}
	registered := func() bool {
		s, err := i.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(s.Dump.Registrations) == 1 && s.Dump.Registrations[0].Registered && s.Registry.Total > 0
	}
	for began := time.Now(); !registered(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("still not registered")
		}
	}
	if err := i.Terminate(time.Minute); err != nil {
		t.Error(err)
	}
	if i.Running() || len(f.Running()) != 1 {
		t.Error("it still runs")
	}
	r, err := server.Client(t).Get(t.Context(), etcd.DefaultPrefix+"instances/orders/i1", clientv3.WithCountOnly())
	if err != nil || r.Count != 0 {
		t.Errorf("its record: %d, %v", r.Count, err)
	}
}

// A record of a dead instance must not lead to an instance of another fleet.
func TestFleetsDoNotShareAnAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system has one loopback address")
	}
	t.Parallel()
	hosts := map[string]bool{}
	for range 2 {
		i := fleet.New(t, fleet.Registry{Endpoints: []string{"127.0.0.1:1"}, TTL: 10 * time.Second}, "orders", 0).Start(1)[0]
		host, _, err := net.SplitHostPort(i.Addr)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("instance at %s: %v", i.Addr, err)
		}
		hosts[host] = true
	}
	if len(hosts) != 2 {
		t.Errorf("two fleets at %v", hosts)
	}
}
