package integration_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// What experiments with etcd showed can happen, where no other test shows that
// it does no harm here. docs/experiments.md lists them all by their numbers.

// X5: etcd was away for longer than the TTL, and has kept the old lease and
// record. There must not be two records now.
func TestX5OutageBeyondTheTTLLeavesOneRecord(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	server.Kill()
	eventually(t, "registration in doubt", func() bool { return !reg.State().Registered })
	server.Restart(t)
	proved(t, reg)
	during(t, 4*time.Second) // the end of the old lease is not far
	all, err := client.Get(t.Context(), prefix(t)+"instances/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Kvs) != 1 || !reg.State().Registered {
		t.Errorf("etcd has %d records and State() is %+v, want one that is registered", len(all.Kvs), reg.State())
	}
}

// X7: a store that was wiped has the cluster ID, the member ID and the term that
// it had, and here it has the very revision of the old one, too, when the
// consumer looks again. Only the epoch tells.
func TestX7WipedStoreThatCaughtUpIsNoticed(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	fill := func(revision int64) {
		t.Helper()
		for n := server.Revision(t); n < revision; n++ {
			if _, err := client.Put(t.Context(), "other", fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(100)
	proxy := tcpproxy.New(t, server.Endpoint())
	provider, consumer := open(t, config(t, server.Endpoint())), open(t, config(t, proxy.Addr()))
	gone := register(t, provider, "orders", "gone", "10.0.0.1:80")
	register(t, provider, "orders", "stays", "10.0.0.2:80")
	w := watch(t, consumer, "orders")
	before := w.until("both", live("gone", "stays"))

	proxy.Cut()
	w.until("stale list", stale("gone", "stays"))
	if err := gone.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Wipe(t)
	eventually(t, "registered in the new store", func() bool { return read(t, client, instanceKey(t, "orders", "stays")) != nil })
	fill(before.Revision)
	proxy.Pass()
	w.until("the new list", live("stays"))
	register(t, provider, "orders", "new", "10.0.0.3:80")
	w.until("what came later", live("new", "stays"))
}

// X8: a watch that is up to date does not mind a compaction.
func TestX8CompactionDoesNotDisturbAWatchInHealth(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := open(t, config(t, server.Endpoint()))
	register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))
	for n := range 5 {
		server.Compact(t)
		id := fmt.Sprintf("b%d", n)
		reg := register(t, r, "orders", id, "10.0.0.2:80")
		w.until("another", live("a", id))
		if err := reg.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.until("the first", live("a"))
	}
	if s := r.Inspect().Watches[0]; s.Lists != 1 {
		t.Errorf("%d lists were read, want one", s.Lists)
	}
}

// X9: the revision that pages are read at is compacted between two of them.
func TestX9CompactionBetweenPagesBeginsTheListAnew(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	const total = 1001 // three pages
	want, puts := make([]string, total), make([]clientv3.Op, total)
	for n := range want {
		want[n] = fmt.Sprintf("i%04d", n)
		value := fmt.Sprintf(`{"Addr":"10.0.%d.%d:80"}`, n/250, n%250+1)
		puts[n] = clientv3.OpPut(instanceKey(t, "orders", want[n]), value, clientv3.WithLease(lease.ID))
	}
	for some := range slices.Chunk(puts, 100) { // etcd takes 128 at once
		if _, err := client.Txn(t.Context()).Then(some...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	var between sync.Once
	var refused atomic.Int64
	c := config(t, server.Endpoint())
	c.Client.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			r, ok := req.(*pb.RangeRequest)
			if ok && len(r.RangeEnd) > 0 && r.Revision > 0 { // the second page
				between.Do(func() {
					if _, err := client.Put(ctx, "other", "thing"); err != nil {
						t.Error(err)
					}
					server.Compact(t)
				})
			}
			err := next(ctx, method, req, reply, cc, opts...)
			if errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
				refused.Add(1)
			}
			return err
		})}
	got := watch(t, open(t, c), "orders").until("a live list", func(r report) bool { return r.State == discovery.Live })
	if !live(want...)(got) {
		t.Errorf("the list has %d instances, want all %d", len(got.Instances), total)
	}
	if refused.Load() == 0 {
		t.Error("no page was refused as compacted: the fault did not happen")
	}
}

// X10, X11, X29: one of two endpoints swallows everything. Calls alternate
// between them, so that every other one would be lost.
func TestX11EndpointThatSwallowsEverythingCostsNoLease(t *testing.T) {
	t.Parallel()
	none := func(*tcpproxy.Proxy) {}
	for _, tt := range []struct {
		name         string
		first, later func(*tcpproxy.Proxy)
	}{
		{"BlackHoleFromTheStart", (*tcpproxy.Proxy).Blackhole, none},
		{"BlackHole", none, (*tcpproxy.Proxy).Blackhole},
		{"HalfOpen", none, (*tcpproxy.Proxy).Freeze},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Start(t)
			client := server.Client(t)
			dead, well := tcpproxy.New(t, server.Endpoint()), tcpproxy.New(t, server.Endpoint())
			tt.first(dead)
			r := open(t, config(t, dead.Addr(), well.Addr()))
			reg := register(t, r, "orders", "a", "10.0.0.1:80")
			w := watch(t, r, "orders")
			w.until("the instance", live("a"))
			tt.later(dead)
			before, began := read(t, client, instanceKey(t, "orders", "a")), time.Now()
			register(t, r, "orders", "b", "10.0.0.2:80")
			w.until("what came after", live("a", "b"))
			eventually(t, "heartbeats for longer than the TTL", func() bool {
				return r.Inspect().Lease.Heartbeat.Sub(began) > 11*time.Second
			})
			if after := read(t, client, instanceKey(t, "orders", "a")); after == nil || *after != *before || reg.State().Repairs != 0 {
				t.Errorf("the record was %+v and is %+v, State() = %+v", before, after, reg.State())
			}
		})
	}
}

// X14: after a long outage a client that waits longer with each try comes back
// late: with gRPC's own settings the next try is 16 s away by now.
func TestX14ReconnectsSoonAfterALongOutage(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := open(t, config(t, server.Endpoint()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))
	server.Kill()
	during(t, 28*time.Second)
	w.rest()
	server.Restart(t)
	back := time.Now()
	w.until("live list", live("a"))
	took := time.Since(back)
	proved(t, reg)
	t.Logf("the list was live after %s, the registration proved after %s", took, time.Since(back))
	if took > 9*time.Second {
		t.Errorf("the list was live %s after etcd, want at most 3 s and slack", took)
	}
}

// X23: etcd refuses transactions of more than 128 operations, values of more
// than 1.5 MiB, and TTLs below its own minimum are not what was asked for.
func TestX23LimitsOfEtcdAreKept(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	r := open(t, config(t, server.Endpoint()))
	const total = 300
	regs := make([]discovery.Registration, total)
	ids := make([]string, total)
	for n := range total {
		ids[n] = fmt.Sprintf("i%03d", n)
		reg, err := r.Register(t.Context(), discovery.Instance{Service: "orders", ID: ids[n], Addr: fmt.Sprintf("10.0.%d.%d:80", n/200, n%200+1)})
		if err != nil {
			t.Fatal(err)
		}
		regs[n] = reg
	}
	for _, reg := range regs {
		proved(t, reg)
	}
	watch(t, r, "orders").until("all of them", live(ids...))

	meta := map[string]string{}
	for n := range discovery.MaxMeta {
		meta[fmt.Sprintf("%0256d", n)] = fmt.Sprintf("%0256d", n)
	}
	if _, err := r.Register(t.Context(), discovery.Instance{Service: "orders", ID: "large", Addr: "10.1.0.1:80", Meta: meta}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("registering what no reader would take: %v, want it refused", err)
	}
}

// X25: the token that a password bought has expired when the connection breaks,
// and the store of users has changed meanwhile.
func TestX25ExpiredTokenIsRenewed(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, etcdtest.WithTokenTTL(3))
	root := server.EnableAuth(t, etcdtest.User{Name: "orders", Password: "secret-orders", Write: prefix(t)})
	proxy := tcpproxy.New(t, server.Endpoint())
	c := config(t, proxy.Addr())
	c.Client.Username, c.Client.Password = "orders", "secret-orders"
	r := open(t, c)
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))
	before := read(t, root, instanceKey(t, "orders", "a"))

	during(t, 6*time.Second) // nothing reads meanwhile
	if _, err := root.UserAdd(t.Context(), "other", "secret-other"); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	proxy.Pass()
	register(t, r, "orders", "b", "10.0.0.2:80")
	w.until("what came after", live("a", "b"))
	if after := read(t, root, instanceKey(t, "orders", "a")); after == nil || *after != *before || reg.State().Repairs != 0 {
		t.Errorf("the record was %+v and is %+v, State() = %+v", before, after, reg.State())
	}
}

// X28: etcd's client keeps for a consumer that does not read whatever comes,
// without a limit. Here 35 MB come, and the last state is what is kept. It does
// not run beside other tests, whose memory would count.
func TestX28ConsumerThatDoesNotReadCostsNoMemory(t *testing.T) {
	if race {
		t.Skip("it measures memory; TestTrap11StuckConsumerHoldsUpNobody is the same with less to read")
	}
	server := etcdtest.Start(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	lease, err := client.Grant(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	const events = 2_500
	put := func(n int) (revision int64) {
		t.Helper()
		value := fmt.Sprintf(`{"Addr":"10.0.0.1:80","Metadata":{"id":"a","service":"orders","weight":%d,"future":"%014000d"}}`, n%100+1, n)
		r, err := client.Put(t.Context(), instanceKey(t, "orders", "a"), value, clientv3.WithLease(lease.ID))
		if err != nil {
			t.Fatal(err)
		}
		return r.Header.Revision
	}
	put(0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck, unstick, later := make(chan struct{}), make(chan struct{}), make(chan discovery.Snapshot, events)
	go func() {
		first := true
		for s := range r.Watch(ctx, "orders") {
			if !first {
				later <- s
				continue
			}
			first = false
			close(stuck)
			<-unstick
		}
	}()
	<-stuck
	before, last := heap(), int64(0)
	for n := 1; n <= events; n++ {
		last = put(n)
	}
	eventually(t, "all events applied", func() bool { return r.Inspect().Watches[0].Revision >= last })
	if grown := int64(heap()) - int64(before); grown > 10<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	close(unstick)
	seen := 1
	for got := <-later; got.Revision < last; got = <-later {
		seen++
	}
	if seen > 3 { // the last may just be on its way
		t.Errorf("the consumer then sees %d lists, want only the latest", seen)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
