package integration_test

import (
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

func stale(ids ...string) func(report) bool {
	return func(r report) bool { return r.State == discovery.Stale && r.err != nil && r.has(ids...) }
}

func TestEtcdKilledAndRestarted(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	provider, consumer := open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
	reg := register(t, provider, "orders", "a", "10.0.0.1:80")
	before := read(t, client, instanceKey(t, "orders", "a"))
	w := watch(t, consumer, "orders")
	w.until("the instance", live("a"))

	killed := time.Now()
	server.Kill()
	if r := w.until("stale list", stale("a")); r.AsOf.After(time.Now()) || r.AsOf.Before(killed.Add(-patience)) {
		t.Errorf("AsOf = %v, etcd was killed at %v", r.AsOf, killed)
	}
	if took := time.Since(killed); took > 15*time.Second {
		t.Errorf("the list was called live for %s more: that is not the end of the connection but the next proof", took)
	}
	during(t, 3*time.Second)
	if more := w.rest(); len(more) != 0 {
		t.Errorf("while etcd is down the consumer is told again: %v", more)
	}
	server.Restart(t)
	restarted := time.Now()

	w.until("live list", live("a"))
	if took := time.Since(restarted); took > 15*time.Second {
		t.Errorf("the list was live %s after etcd, want at most 5 s and slack", took)
	}
	proved(t, reg)
	if after := read(t, client, instanceKey(t, "orders", "a")); *after != *before {
		t.Errorf("the record was %+v and is %+v: a short outage costs no lease", before, after)
	}
	// Both directions work again.
	register(t, provider, "orders", "b", "10.0.0.2:80")
	w.until("both instances", live("a", "b"))
}

// Trap 1: bounded retries, then silence. Here etcd is down from the start and
// comes up after many a try.
func TestTrap1EtcdThatComesUpLateIsFound(t *testing.T) {
	t.Parallel()
	server := etcdtest.New(t)
	r := open(t, config(t, server.Endpoint()))
	w := watch(t, r, "orders")
	reg, err := r.Register(t.Context(), discovery.Instance{Service: "orders", ID: "a", Addr: "10.0.0.1:80"})
	if err != nil {
		t.Fatal(err)
	}
	w.until("cold list with an error", func(r report) bool { return r.State == discovery.Cold && r.err != nil && r.has() })
	during(t, 6*time.Second)
	if s := reg.State(); s.Registered || s.Reason == "" {
		t.Errorf("State() = %+v, want not registered and the reason", s)
	}

	server.Restart(t)
	w.until("the instance", live("a"))
	proved(t, reg)
}

// A paused etcd keeps its connections and answers nobody; a pause longer than
// the TTL ends every lease at the moment it goes on.
func TestEtcdPausedBeyondTheTTL(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := open(t, config(t, server.Endpoint()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))

	server.Pause(t)
	w.until("stale list", stale("a"))
	eventually(t, "registration in doubt", func() bool { return !reg.State().Registered })
	server.Resume(t)

	eventually(t, "registered again", func() bool { return reg.State().Registered && reg.State().Repairs > 0 })
	eventually(t, "live list with the instance", func() bool {
		s := r.Inspect().Watches[0]
		return s.State == discovery.Live && s.Instances == 1
	})
}

// A connection that went silent is replaced long before its pings find out, so
// that the lease lives on.
func TestLeaseOutlivesAHalfOpenConnection(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)
	proxy := tcpproxy.New(t, server.Endpoint())
	c := config(t, proxy.Addr())
	c.TTL = 20 * time.Second // so that a machine which is busy has the time for it
	r := open(t, c)
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	before, beat := read(t, client, instanceKey(t, "orders", "a")), r.Inspect().Lease.Heartbeat

	proxy.Freeze()
	eventually(t, "two heartbeats over another connection", func() bool {
		now := r.Inspect().Lease.Heartbeat
		return now.Sub(beat) > c.TTL // counted from the last before
	})
	if after := read(t, client, instanceKey(t, "orders", "a")); after == nil || *after != *before {
		t.Errorf("the record was %+v and is %+v", before, after)
	}
	if s := reg.State(); !s.Registered || s.Repairs != 0 {
		t.Errorf("State() = %+v, want registered without repairs", s)
	}
}

func TestKeyDeletedOrOverwrittenByHandIsRepaired(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	client := server.Client(t)
	r := open(t, config(t, server.Endpoint()))
	deleted := register(t, r, "orders", "deleted", "10.0.0.1:80")
	foreign := register(t, r, "orders", "overwritten", "10.0.0.2:80")
	untouched := register(t, r, "orders", "untouched", "10.0.0.3:80")
	w := watch(t, r, "orders")
	w.until("all three", live("deleted", "overwritten", "untouched"))

	if _, err := client.Delete(t.Context(), instanceKey(t, "orders", "deleted")); err != nil {
		t.Fatal(err)
	}
	// Without a lease such a key would stand for ever.
	if _, err := client.Put(t.Context(), instanceKey(t, "orders", "overwritten"), `{"Addr":"10.9.9.9:80"}`); err != nil {
		t.Fatal(err)
	}
	w.until("neither", live("untouched"))
	w.until("all three again", live("deleted", "overwritten", "untouched"))
	for _, reg := range []discovery.Registration{deleted, foreign} {
		proved(t, reg)
		if s := reg.State(); !s.Registered || s.Repairs != 1 {
			t.Errorf("%s: %+v, want registered after one repair", s.ID, s)
		}
	}
	if s := untouched.State(); s.Repairs != 0 {
		t.Errorf("untouched: %+v, want no repair", s)
	}
	if now := read(t, client, instanceKey(t, "orders", "overwritten")); now.lease == 0 {
		t.Error("the repaired key has no lease")
	}
}
