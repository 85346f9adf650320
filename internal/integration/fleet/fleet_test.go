package fleet_test

import (
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
