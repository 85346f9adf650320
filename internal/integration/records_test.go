package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

func TestMalformedRecordsAreSkippedAndShown(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	register(t, r, "orders", "good", "10.0.0.1:80")
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	good := read(t, client, instanceKey(t, "orders", "good")).value
	w := watch(t, r, "orders")
	w.until("the good one", live("good"))
	bad := []struct{ id, value string }{
		{"not-json", "{"},
		{"too-large", `{"Addr":"10.0.0.2:80","Metadata":"` + strings.Repeat("x", 8<<10) + `"}`},
		{"decimal-address", `{"Addr":"2130706433:80"}`},
		{"copied-from-good", good},
		{"other-service", strings.NewReplacer(`"good"`, `"other-service"`, `"orders"`, `"users"`).Replace(good)},
		{"deep/key", `{"Addr":"10.0.0.2:80"}`},
	}
	for _, b := range bad {
		if _, err := client.Put(t.Context(), instanceKey(t, "orders", b.id), b.value, clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Put(t.Context(), instanceKey(t, "orders", "no-lease"), `{"Addr":"10.0.0.2:80"}`); err != nil {
		t.Fatal(err)
	}

	got := w.until("all refusals", func(r report) bool { return r.Refused == len(bad)+1 })
	if !live("good")(got) {
		t.Errorf("beside malformed records: %v, want the good one", got)
	}
	for _, b := range bad {
		if !slices.ContainsFunc(got.Refusals, func(r discovery.Refusal) bool {
			return r.Key == instanceKey(t, "orders", b.id) && r.Reason != ""
		}) {
			t.Errorf("%s is not among the refusals %+v", b.id, got.Refusals)
		}
	}
	// The same from a list.
	got = watch(t, open(t, config(t, server.Endpoint())), "orders").until("first list", func(report) bool { return true })
	if !live("good")(got) || got.Refused != len(bad)+1 {
		t.Errorf("first list: %v with %d refused", got, got.Refused)
	}

	if _, err := client.Delete(t.Context(), instanceKey(t, "orders", "no-lease")); err != nil {
		t.Fatal(err)
	}
	w.until("one refusal less", func(r report) bool { return r.Refused == len(bad) })
}

// Programs that register with etcd's own naming package are instances, too.
func TestRecordsOfForeignWritersAreRead(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	target := strings.TrimSuffix(instanceKey(t, "orders", ""), "/")
	foreign, err := endpoints.NewManager(client, target)
	if err != nil {
		t.Fatal(err)
	}
	for id, metadata := range map[string]any{
		"10.0.0.1:80": nil,
		"10.0.0.2:80": "text",
		"10.0.0.3:80": map[string]any{"id": 7, "weight": "heavy"},
	} {
		if err := foreign.AddEndpoint(t.Context(), target+"/"+id, endpoints.Endpoint{Addr: id, Metadata: metadata}, clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
	}
	w := watch(t, open(t, config(t, server.Endpoint())), "orders")
	got := w.until("all three", live("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"))
	for _, i := range got.Instances {
		if i.Addr != i.ID || i.Service != "orders" {
			t.Errorf("instance %+v", i)
		}
	}
	if err := foreign.DeleteEndpoint(t.Context(), target+"/10.0.0.2:80"); err != nil {
		t.Fatal(err)
	}
	w.until("the others", live("10.0.0.1:80", "10.0.0.3:80"))
}

// A process that died hard and came back has two records until the old lease
// ends. The younger one counts.
func TestYoungerRecordOfAnAddressHidesTheOlder(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	r := open(t, config(t, server.Endpoint()))
	w := watch(t, r, "orders")
	register(t, r, "orders", "old", "10.0.0.1:80")
	w.until("the old one", live("old"))
	young := register(t, r, "orders", "a-younger", "10.0.0.1:80")
	w.until("the younger one", live("a-younger"))
	if s := r.Inspect().Watches[0]; s.Instances != 1 || s.Hidden != 1 {
		t.Errorf("State() = %+v, want one instance and one hidden", s)
	}
	if err := young.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("the old one again", live("old"))
}

func TestLongListIsReadInPagesAtOneRevision(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	const total = 1201 // three pages
	want := make([]string, total)
	ops := make([]clientv3.Op, 0, 100)
	for n := range total {
		want[n] = fmt.Sprintf("i%04d", n)
		value := fmt.Sprintf(`{"Addr":"10.0.%d.%d:80"}`, n/250, n%250+1)
		ops = append(ops, clientv3.OpPut(instanceKey(t, "orders", want[n]), value, clientv3.WithLease(lease.ID)))
		if len(ops) == cap(ops) || n == total-1 {
			if _, err := client.Txn(t.Context()).Then(ops...).Commit(); err != nil {
				t.Fatal(err)
			}
			ops = ops[:0]
		}
	}
	w := watch(t, open(t, config(t, server.Endpoint())), "orders")
	if got := w.until("first list", func(report) bool { return true }); !live(want...)(got) {
		t.Errorf("the first list has %d instances and state %v, want all %d", len(got.Instances), got.State, total)
	}
}
