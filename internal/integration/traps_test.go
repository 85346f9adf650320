package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// The traps that registries of other frameworks fell into, each as a test
// against a real etcd. Trap 1 is in outage_test.go; trap 7, one more heartbeat
// goroutine with each failure, and the timing of the others are tested beside
// the code.

// Trap 2: the end of the lease was only logged.
func TestTrap2RevokedLeaseIsReplacedAgainAndAgain(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))
	for round := 1; round <= 3; round++ {
		lost := read(t, client, instanceKey(t, "orders", "a"))
		if _, err := client.Revoke(t.Context(), lost.lease); err != nil {
			t.Fatal(err)
		}
		w.until("empty list", live())
		w.until("the instance again", live("a"))
		proved(t, reg)
		if s := reg.State(); s.Repairs != round {
			t.Errorf("after round %d: %+v", round, s)
		}
		if now := read(t, client, instanceKey(t, "orders", "a")); now.lease == lost.lease || now.value != lost.value {
			t.Errorf("after round %d: %+v, want the same record under another lease than %x", round, now, lost.lease)
		}
	}
}

// Trap 3: a TTL so short that a stall of a second ends the session.
func TestTrap3StallOfSecondsCostsNothing(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	c := config(t, server.Endpoint())
	c.TTL = time.Second
	if _, err := etcd.New(c); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("New with a TTL of 1 s: %v, want it refused", err)
	}
	proxy := tcpproxy.New(t, server.Endpoint())
	r := open(t, config(t, proxy.Addr()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	before := read(t, client, instanceKey(t, "orders", "a"))

	proxy.Blackhole()
	during(t, 4*time.Second)
	stalled := time.Now()
	proxy.Pass()
	eventually(t, "a heartbeat after the stall", func() bool { return r.Inspect().Lease.Heartbeat.After(stalled) })
	if after := read(t, client, instanceKey(t, "orders", "a")); after == nil || *after != *before {
		t.Errorf("the record was %+v and is %+v", before, after)
	}
	if s := reg.State(); !s.Registered || s.Repairs != 0 {
		t.Errorf("State() = %+v, want registered without repairs", s)
	}
}

// Trap 4: a put under a lease that is gone, repeated for ever.
func TestTrap4PutWithDeadLeaseGetsANewLease(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	dead := read(t, client, instanceKey(t, "orders", "a")).lease
	if _, err := client.Revoke(t.Context(), dead); err != nil {
		t.Fatal(err)
	}

	changed := reg.Instance()
	changed.Weight = 7
	if err := reg.Update(changed); err != nil {
		t.Fatal(err)
	}
	proved(t, reg)
	now := read(t, client, instanceKey(t, "orders", "a"))
	if now == nil || now.lease == dead {
		t.Errorf("the record is %+v, want it under another lease than %x", now, dead)
	}
	if s := r.Inspect(); s.Lease.Grants != 2 {
		t.Errorf("%d leases were granted, want 2", s.Lease.Grants)
	}
}

// Trap 5: state shared without locks, one stop signal for all services.
func TestTrap5ServicesOfOneProcessAreIndependent(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	var all sync.WaitGroup
	for n := range 8 {
		service := fmt.Sprintf("service-%d", n)
		all.Go(func() {
			reg, err := r.Register(t.Context(), discovery.Instance{Service: service, ID: "a", Addr: "10.0.0.1:80"})
			if err != nil {
				t.Error(err)
				return
			}
			changed := reg.Instance()
			for changed.Weight = 1; changed.Weight <= 10; changed.Weight++ {
				if err := reg.Update(changed); err != nil {
					t.Error(err)
				}
			}
			if err := reg.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			if n%2 == 0 {
				if err := reg.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	leases := map[clientv3.LeaseID]bool{}
	for n := range 8 {
		now := read(t, client, instanceKey(t, fmt.Sprintf("service-%d", n), "a"))
		if closed := n%2 == 0; closed != (now == nil) {
			t.Errorf("service-%d: closed %t, its record is %+v", n, closed, now)
		}
		if now != nil {
			leases[now.lease] = true
		}
	}
	if len(leases) != 1 {
		t.Errorf("%d leases, want one for the process", len(leases))
	}
}

// Trap 6: the key deleted and the lease left, or a late renewal that brings
// the instance back.
func TestTrap6NothingReturnsAfterClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		before func(t *testing.T, client *clientv3.Client, lease clientv3.LeaseID)
	}{
		{"InHealth", func(*testing.T, *clientv3.Client, clientv3.LeaseID) {}},
		{"WhileItReturns", func(t *testing.T, client *clientv3.Client, lease clientv3.LeaseID) {
			if _, err := client.Revoke(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Shared(t)
			client := server.Client(t)
			r := open(t, config(t, server.Endpoint()))
			register(t, r, "orders", "a", "10.0.0.1:80")
			lease := read(t, client, instanceKey(t, "orders", "a")).lease
			w := watch(t, open(t, config(t, server.Endpoint())), "orders")
			w.until("the instance", live("a"))

			c.before(t, client, lease)
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.until("empty list", live())
			if ttl, err := client.TimeToLive(t.Context(), lease); err != nil || ttl.TTL > 0 {
				t.Errorf("the lease has %+v left (error: %v)", ttl, err)
			}
			during(t, 4*time.Second) // more than a heartbeat and a jitter
			if more := w.rest(); len(more) != 0 {
				t.Errorf("after Close the list changes again: %v", more)
			}
		})
	}
}

// Trap 8: what happens between the list and the watch is lost, or a kind of
// event is never handed on.
func TestTrap8NoEventIsLostAroundTheList(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	lease, err := client.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string, weight int) {
		value := fmt.Sprintf(`{"Addr":"10.0.0.%s:80","Metadata":{"id":%q,"weight":%d}}`, id, id, weight)
		if _, err := client.Put(t.Context(), instanceKey(t, "orders", id), value, clientv3.WithLease(lease.ID)); err != nil {
			t.Error(err)
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for weight := 1; ; weight++ {
			select {
			case <-stop:
				return
			default:
			}
			put("1", weight)
			put("2", weight)
			if _, err := client.Delete(t.Context(), instanceKey(t, "orders", "2")); err != nil {
				t.Error(err)
			}
		}
	}()
	// Each begins in the midst of the writes, with a list of its own.
	watches := make([]*watching, 20)
	for n := range watches {
		watches[n] = watch(t, open(t, config(t, server.Endpoint())), "orders")
		watches[n].until("instance 1", func(r report) bool { return r.err == nil && len(r.Instances) > 0 })
	}
	watches = append(watches, watch(t, r, "orders"))
	close(stop)
	<-stopped
	put("3", 1) // add
	put("1", 9999)
	for _, w := range watches {
		last := w.until("the last state", func(r report) bool {
			return live("1", "3")(r) && r.Instances[0].Weight == 9999
		})
		if more := w.rest(); len(more) != 0 {
			t.Errorf("after %v came %v", last, more)
		}
	}
}

// Trap 10: a compaction that passes a consumer by while it is cut off takes
// the deletions with it.
func TestTrap10CompactionWhileDisconnectedLosesNoDelete(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	proxy := tcpproxy.New(t, server.Endpoint())
	provider, consumer := open(t, config(t, server.Endpoint())), open(t, config(t, proxy.Addr()))
	gone := register(t, provider, "orders", "gone", "10.0.0.1:80")
	register(t, provider, "orders", "stays", "10.0.0.2:80")
	w := watch(t, consumer, "orders")
	w.until("both", live("gone", "stays"))

	proxy.Cut()
	w.until("stale list of both", stale("gone", "stays"))
	if err := gone.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	register(t, provider, "orders", "new", "10.0.0.3:80")
	now, err := client.Get(t.Context(), "any")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	proxy.Pass()

	w.until("the new list", live("new", "stays"))
	register(t, provider, "orders", "later", "10.0.0.4:80")
	w.until("what came later", live("later", "new", "stays"))
}

// Trap 11: a lock held while waiting for somebody who needs it.
func TestTrap11StuckConsumerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	proxy := tcpproxy.New(t, server.Endpoint())
	r := open(t, config(t, proxy.Addr()))
	register(t, r, "orders", "a", "10.0.0.1:80")

	ctx, cancel := context.WithCancel(t.Context())
	stuck, unstick, last := make(chan struct{}), make(chan struct{}), make(chan discovery.Snapshot, 1)
	go func() {
		defer close(last)
		var latest discovery.Snapshot
		for s := range r.Watch(ctx, "orders") {
			if latest.Service == "" {
				close(stuck)
				<-unstick
			}
			latest = s
			if s.State == discovery.Live && len(s.Instances) == 2 {
				last <- s
				return
			}
		}
	}()
	defer cancel()
	<-stuck

	w := watch(t, r, "orders")
	w.until("the instance", live("a"))
	proxy.Cut()
	w.until("stale list", stale("a"))
	proxy.Pass()
	w.until("live list", live("a"))
	for n := range 20 {
		reg := register(t, r, "orders", "b", fmt.Sprintf("10.0.1.%d:80", n))
		w.until("both", live("a", "b"))
		if err := reg.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.until("one", live("a"))
	}
	register(t, r, "orders", "c", "10.0.0.3:80")
	w.until("the last state", live("a", "c"))

	close(unstick)
	if s := <-last; len(s.Instances) != 2 || s.Instances[1].ID != "c" {
		t.Errorf("the consumer that was stuck then sees %+v, want the latest set", s)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Trap 12: a prefix without a closing slash also matches the neighbour, and
// one bad value there fails the whole list.
func TestTrap12NeighboursDoNotTouchEachOther(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	register(t, r, "user", "a", "10.0.0.1:80")
	user := watch(t, r, "user")
	user.until("the instance of user", live("a"))

	register(t, r, "user-admin", "b", "10.0.0.2:80")
	if _, err := client.Put(t.Context(), instanceKey(t, "user-admin", "broken"), "{"); err != nil {
		t.Fatal(err)
	}
	watch(t, r, "user-admin").until("its own instance", live("b"))
	register(t, r, "user", "c", "10.0.0.3:80")
	got := user.until("the next change of user", func(report) bool { return true })
	if !live("a", "c")(got) || got.Refused != 0 {
		t.Errorf("user was told of %v with %d refused records, want only its own", got, got.Refused)
	}
}

// Trap 13: every client reads the whole list on every event, and all of them
// at once when etcd returns.
func TestTrap13ListsAreReadOnce(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	provider := open(t, config(t, server.Endpoint()))
	var lists atomic.Int64
	c := config(t, server.Endpoint())
	c.Client.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if r, ok := req.(*pb.RangeRequest); ok && len(r.RangeEnd) > 0 && strings.Contains(string(r.Key), "/instances/") {
				lists.Add(1)
			}
			return next(ctx, method, req, reply, cc, opts...)
		})}
	consumer := open(t, c)
	reg := register(t, provider, "orders", "a", "10.0.0.1:80")
	w := watch(t, consumer, "orders")
	w.until("the instance", live("a"))
	for range 4 {
		watch(t, consumer, "orders").until("the instance", live("a"))
	}
	for weight := 1; weight <= 30; weight++ {
		changed := reg.Instance()
		changed.Weight = weight
		if err := reg.Update(changed); err != nil {
			t.Fatal(err)
		}
		w.until("the change", func(r report) bool { return r.Instances[0].Weight == weight })
	}
	if n := lists.Load(); n != 1 {
		t.Errorf("%d lists for five watches and thirty changes, want 1", n)
	}

	// Nothing was written while etcd was away: etcd itself proves it.
	server.Kill()
	w.until("stale list", stale("a"))
	server.Restart(t)
	w.until("live list", live("a"))
	if n := lists.Load(); n != 1 {
		t.Errorf("%d lists after an outage without changes, want still 1", n)
	}
	register(t, provider, "orders", "b", "10.0.0.2:80")
	w.until("what came after", live("a", "b"))
}
