package integration_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/grpcproxy"
)

// behindProxy starts etcd's own gRPC proxy in front of a server.
func behindProxy(t *testing.T, server *etcdtest.Server) *grpcproxy.Proxy {
	t.Helper()
	p, err := grpcproxy.Start(t.Context(), server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Everything a registry does works through the proxy: registering, renewing
// the lease for longer than it lives, listing, watching, leaving.
func TestGRPCProxyCarriesTheRegistry(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	proxy := behindProxy(t, server)
	direct := watch(t, open(t, config(t, server.Endpoint())), "orders")
	provider, consumer := open(t, config(t, proxy.Endpoint())), open(t, config(t, proxy.Endpoint()))
	reg := register(t, provider, "orders", "a", "10.0.0.1:80")
	w := watch(t, consumer, "orders")
	w.until("the instance", live("a"))
	direct.until("the instance", live("a"))
	before := read(t, client, instanceKey(t, "orders", "a"))

	changed := reg.Instance()
	changed.Weight = 7
	if err := reg.Update(changed); err != nil {
		t.Fatal(err)
	}
	w.until("the change", func(r report) bool { return live("a")(r) && r.Instances[0].Weight == 7 })
	other := register(t, provider, "orders", "b", "10.0.0.2:80")
	w.until("both", live("a", "b"))
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("one", live("a"))

	during(t, 12*time.Second) // the lease lives for ten
	if s := provider.Inspect(); s.Lease.Grants != 1 || s.Lease.Error != "" || !reg.State().Registered || reg.State().Repairs != 0 {
		t.Errorf("the lease is not held through the proxy: %+v, %+v", s.Lease, reg.State())
	}
	if now := read(t, client, instanceKey(t, "orders", "a")); now == nil || now.lease != before.lease {
		t.Errorf("the record was %+v and is %+v", before, now)
	}
	if err := provider.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("none", live())
}

// What the proxy is for: however many processes watch a service, etcd serves
// the watches of one.
func TestGRPCProxyMakesOneWatchOfMany(t *testing.T) {
	t.Parallel()
	const consumers = 20
	server := etcdtest.Start(t)
	proxy := behindProxy(t, server)
	register(t, open(t, config(t, server.Endpoint())), "orders", "a", "10.0.0.1:80")
	consume := func(endpoint string) {
		watch(t, open(t, config(t, endpoint)), "orders").until("the instance", live("a"))
	}
	idle := watchesAt(t, server)
	consume(server.Endpoint())
	eventually(t, "the watches of one stand", func() bool { return watchesAt(t, server) > idle })
	during(t, time.Second) // all of them
	of1 := watchesAt(t, server) - idle

	for range consumers {
		consume(proxy.Endpoint())
	}
	// And for a moment others, of those that came in between.
	eventually(t, "the watches of one more", func() bool { return watchesAt(t, server) == idle+2*of1 })
	for range consumers {
		consume(server.Endpoint())
	}
	eventually(t, "those of each that comes directly", func() bool { return watchesAt(t, server) == idle+(2+consumers)*of1 })
}

// watchesAt is how many watches etcd serves.
func watchesAt(t *testing.T, server *etcdtest.Server) int {
	t.Helper()
	answer, err := http.Get("http://" + server.Endpoint() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "etcd_debugging_mvcc_watcher_total "); ok {
			watches := 0
			for _, digit := range n {
				watches = 10*watches + int(digit-'0')
			}
			return watches
		}
	}
	t.Fatal("etcd does not say how many watches it serves")
	return 0
}

// A proxy that dies takes nothing with it: lists are kept, what changed
// meanwhile is there as soon as it is back, leases outlive it.
func TestGRPCProxyKilledAndRestarted(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	proxy := behindProxy(t, server)
	provider, consumer := open(t, config(t, proxy.Endpoint())), open(t, config(t, proxy.Endpoint()))
	reg := register(t, provider, "orders", "a", "10.0.0.1:80")
	other := open(t, config(t, server.Endpoint()))
	gone := register(t, other, "orders", "gone", "10.0.0.2:80")
	w := watch(t, consumer, "orders")
	w.until("both", live("a", "gone"))

	proxy.Kill()
	w.until("stale list", stale("a", "gone"))
	register(t, other, "orders", "new", "10.0.0.3:80")
	if err := gone.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}

	w.until("the list of now", live("a", "new"))
	register(t, other, "orders", "later", "10.0.0.4:80")
	w.until("what came later", live("a", "later", "new"))
	proved(t, reg)
	if s := provider.Inspect(); s.Lease.Grants != 1 {
		t.Errorf("%d leases were granted, want the one that outlived the proxy", s.Lease.Grants)
	}
}

// The connection to the proxy stands while the store behind it is replaced by
// an empty one. Only the epoch tells.
func TestGRPCProxyDoesNotHideThatTheStoreWasWiped(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	proxy := behindProxy(t, server)
	provider, consumer := open(t, config(t, proxy.Endpoint())), open(t, config(t, proxy.Endpoint()))
	reg := register(t, provider, "orders", "a", "10.0.0.1:80")
	client := server.Client(t)
	lease, err := client.Grant(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody registers it again.
	if _, err := client.Put(t.Context(), instanceKey(t, "orders", "gone"), `{"Addr":"10.0.0.2:80"}`, clientv3.WithLease(lease.ID)); err != nil {
		t.Fatal(err)
	}
	w := watch(t, consumer, "orders")
	w.until("both", live("a", "gone"))
	changed := reg.Instance()
	changed.Weight = 7
	if err := reg.Update(changed); err != nil {
		t.Fatal(err)
	}
	w.until("a change, so that the watch stands", func(r report) bool { return len(r.Instances) == 2 && r.Instances[0].Weight == 7 })

	server.Wipe(t)
	for range 100 { // so that the revision does not tell, either
		if _, err := client.Put(t.Context(), "filler", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.until("only what registered anew", live("a"))
	proved(t, reg)
	register(t, open(t, config(t, server.Endpoint())), "orders", "new", "10.0.0.3:80")
	w.until("what came later", live("a", "new"))
}

// The proxy does not hand on that a watch wants to be told of a lost leader. It
// is noticed all the same, by the next proof that etcd answers.
func TestGRPCProxyDoesNotHideThatTheLeaderIsLost(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	proxy := behindProxy(t, cluster.Members[0])
	register(t, open(t, config(t, cluster.Endpoints()...)), "orders", "a", "10.0.0.1:80")
	w := watch(t, open(t, config(t, proxy.Endpoint())), "orders")
	w.until("the instance", live("a"))

	cluster.Members[1].Kill()
	cluster.Members[2].Kill()
	during(t, 20*time.Second) // the proof comes within half a minute, and takes two tries
	w.until("stale list", stale("a"))
}

// etcd's proxy answers no requests for progress: whoever relies on them to
// know that a watch is alive would wait in vain, so the registry does not.
func TestGRPCProxyAnswersNoRequestForProgress(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	progress := func(endpoint string) bool {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: clientv3.NewCtxClient(t.Context()).GetLogger()})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		watch := client.Watch(ctx, "any", clientv3.WithCreatedNotify())
		<-watch
		if err := client.RequestProgress(ctx); err != nil {
			t.Fatal(err)
		}
		r, ok := <-watch
		return ok && r.IsProgressNotify()
	}
	if !progress(server.Endpoint()) {
		t.Error("etcd itself does not answer a request for progress")
	}
	if progress(behindProxy(t, server).Endpoint()) {
		t.Error("the proxy answers it now: say so where its limits are listed")
	}
}

// With users and passwords the proxy carries reads, writes and watches, each
// with the rights of its own user, but no heartbeat: it renews leases over its
// own connection and without the token, which etcd refuses. So an instance
// registers past the proxy; one that does not is told.
func TestGRPCProxyCarriesUsersButNotTheirHeartbeats(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	root := server.Client(t)
	ctx := t.Context()
	own := prefix(t)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	proxy := behindProxy(t, server)
	must(root.UserAdd(ctx, "root", "secret-root"))
	must(root.UserGrantRole(ctx, "root", "root"))
	must(root.RoleAdd(ctx, "orders"))
	must(root.RoleGrantPermission(ctx, "orders", own, clientv3.GetPrefixRangeEnd(own), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(root.UserAdd(ctx, "orders", "secret-orders"))
	must(root.UserGrantRole(ctx, "orders", "orders"))
	must(root.AuthEnable(ctx))
	orders := func(endpoint string) *etcd.Registry {
		c := config(t, endpoint)
		c.Client.Username, c.Client.Password = "orders", "secret-orders"
		return open(t, c)
	}

	past := orders(server.Endpoint())
	held := register(t, past, "orders", "past", "10.0.0.1:80")
	through := orders(proxy.Endpoint())
	lost := register(t, through, "orders", "through", "10.0.0.2:80")
	w := watch(t, through, "orders")
	w.until("both", live("past", "through"))
	user := etcdtest.NewClient(t, clientv3.Config{Endpoints: []string{proxy.Endpoint()}, Username: "orders", Password: "secret-orders"})
	if _, err := user.Put(ctx, "elsewhere", ""); !errors.Is(err, rpctypes.ErrPermissionDenied) {
		t.Errorf("a write outside of what the user may: %v", err)
	}

	w.until("the one whose heartbeats arrive", live("past"))
	if s := held.State(); !s.Registered || s.Repairs != 0 || past.Inspect().Lease.Grants != 1 {
		t.Errorf("past the proxy: %+v", s)
	}
	eventually(t, "the instance knows of its loss", func() bool { s := lost.State(); return !s.Registered && s.Reason != "" || s.Repairs > 0 })
}
