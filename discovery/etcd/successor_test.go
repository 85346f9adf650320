package etcd

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/fairlead-go/fairlead/discovery"
)

// Two processes with one instance ID: whoever registered later has the key.
func TestSuccessorIsNeverOverwritten(t *testing.T) {
	for name, sleep := range map[string]func(*fake, *supervisor){
		// The predecessor was stopped for longer than its lease lasts.
		"LeaseLost":   func(f *fake, old *supervisor) { f.revoke(old) },
		"LeaseStands": func(*fake, *supervisor) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				old, young := f.supervisor(t), f.supervisor(t)
				before := announce(t, old)
				synctest.Wait()
				sleep(f, old)
				after := announce(t, young)
				synctest.Wait()
				taken := f.get(key1)

				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if now := f.get(key1); now == nil || now.ModRevision != taken.ModRevision {
					t.Errorf("the key holds %v, want what the successor wrote: %v", now, taken)
				}
				if s := before.State(); s.Registered || !strings.Contains(s.Reason, "superseded") {
					t.Errorf("predecessor: %+v, want that it was superseded", s)
				}
				if s := after.State(); !s.Registered || s.Repairs != 0 {
					t.Errorf("successor: %+v", s)
				}

				// The predecessor still serves. When the key is free, it is its own again.
				if err := after.Close(t.Context()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if now := f.get(key1); now == nil || !before.State().Registered {
					t.Errorf("after the successor left: key %v, predecessor %+v", now, before.State())
				}
				closing(t, old)
				closing(t, young)
				if now := f.get(key1); now != nil {
					t.Errorf("in the end etcd holds %v", now)
				}
			})
		})
	}
}

// A process that died hard and came back with the same ID finds its old record,
// under a lease that nobody renews. It does not wait for its end.
func TestPredecessorIsOverwrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.put(key1, `{"Addr":"10.0.0.9:80","Metadata":{"id":"a","incarnation":"earlier"}}`, 0)
		s := f.supervisor(t)
		r := announce(t, s)
		synctest.Wait()
		if kv := f.get(key1); !strings.Contains(string(kv.Value), s.incarnation) || !r.State().Registered {
			t.Errorf("etcd holds %s, state %+v", kv.Value, r.State())
		}
		closing(t, s)
	})
}

// A process that did not run for longer than its lease lasts claims nothing
// before it has asked, and is registered again soon.
func TestSleepIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		r := announce(t, s)
		time.Sleep(time.Minute)
		synctest.Wait()
		beats := len(f.seen("keepalive"))

		// As if the last minute had been slept through.
		s.mu.Lock()
		s.awake = time.Now().Add(-time.Minute)
		s.mu.Unlock()
		if s := r.State(); s.Registered || !strings.Contains(s.Reason, "did not run") {
			t.Errorf("before the supervisor has run again: %+v", s)
		}
		f.revokeAll()
		time.Sleep(tickTime + time.Millisecond)
		synctest.Wait()
		if n := len(f.seen("keepalive")); n != beats+1 {
			t.Errorf("%d heartbeats at once, want one", n-beats)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := r.State(); !s.Registered || s.Repairs != 1 {
			t.Errorf("a second later: %+v, want registered again", s)
		}
		closing(t, s)
	})
}

// A lease that outlived the sleep costs a look and nothing else.
func TestShortSleepCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		r := announce(t, s)
		synctest.Wait()
		before := f.get(key1).ModRevision
		s.mu.Lock()
		s.awake = time.Now().Add(-DefaultTTL*2/3 - longestCall)
		s.mu.Unlock()
		time.Sleep(tickTime + time.Millisecond)
		synctest.Wait()
		if s := r.State(); !s.Registered || s.Repairs != 0 || f.get(key1).ModRevision != before {
			t.Errorf("%+v, key at revision %d, want no write after %d", s, f.get(key1).ModRevision, before)
		}
		closing(t, s)
	})
}

func TestThousandsAreServedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 3000
		f := newFake()
		s := f.supervisor(t)
		var txns atomic.Int64
		f.onTxn = func() { txns.Add(1) }
		all := make([]*registration, total)
		for n := range all {
			all[n] = announceAs(t, s, "orders", instanceName(n))
		}
		synctest.Wait()
		for _, r := range all {
			if s := r.State(); !s.Registered {
				t.Fatalf("%+v", s)
			}
		}
		if most := int64(total / 4); txns.Load() > most { // a few find little to do yet
			t.Errorf("%d transactions for %d registrations, want at most %d", txns.Load(), total, most)
		}
		txns.Store(0)
		time.Sleep(time.Minute) // each is looked at twice
		if most := int64(3 * total / batchSize); txns.Load() > 2*most {
			t.Errorf("%d transactions in a minute at rest", txns.Load())
		}
		before := len(f.seen())
		closing(t, s)
		if calls := f.seen()[before:]; len(calls) != 1 || calls[0].op != "revoke" {
			t.Errorf("%d calls to withdraw all, want one", len(calls))
		}
	})
}

// One that etcd refuses keeps nobody else waiting.
func TestOneThatIsRefusedHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		f.intercepting(func(_ context.Context, c call) error {
			if c.op == "put" && strings.HasSuffix(c.key, "forbidden") {
				return rpctypes.ErrPermissionDenied
			}
			return nil
		})
		var all []*registration
		for n := range 10 {
			all = append(all, announceAs(t, s, "orders", instanceName(n)))
		}
		bad := announceAs(t, s, "users", "forbidden")
		time.Sleep(time.Second)
		synctest.Wait()
		for _, r := range all {
			if s := r.State(); !s.Registered {
				t.Errorf("%+v", s)
			}
		}
		if err := waitAtMost(t, bad, time.Second); !errors.Is(err, discovery.ErrUnauthorized) {
			t.Errorf("Wait for what is forbidden: %v, want ErrUnauthorized", err)
		}
		before := len(f.seen("put"))
		time.Sleep(10 * time.Minute)
		if n := len(f.seen("put")) - before; n < 10 || n > 20 {
			t.Errorf("%d tries in ten minutes, want one in 30 s or a little more", n)
		}
		f.intercepting(nil)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if s := bad.State(); !s.Registered {
			t.Errorf("after it was allowed: %+v", s)
		}
		closing(t, s)
	})
}

func TestFullStoreIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.intercepting(only(func(context.Context, call) error { return rpctypes.ErrNoSpace }, "grant", "put"))
		s := f.supervisor(t)
		r := announce(t, s)
		if err := waitAtMost(t, r, time.Minute); !errors.Is(err, discovery.ErrNoSpace) {
			t.Errorf("Wait: %v, want ErrNoSpace", err)
		}
		f.intercepting(nil)
		if err := waitAtMost(t, r, longestPause+time.Second); err != nil {
			t.Errorf("with space again: %v", err)
		}
		closing(t, s)
	})
}

// An etcd that takes two seconds for everything is slow, not dead.
func TestSlowEtcdKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		r := announce(t, s)
		synctest.Wait()
		before := f.get(key1)
		f.intercepting(func(ctx context.Context, _ call) error {
			select {
			case <-time.After(2 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		lost := 0
		for range 600 {
			time.Sleep(time.Second)
			if !r.State().Registered {
				lost++
			}
		}
		if now := f.get(key1); now == nil || now.ModRevision != before.ModRevision || lost > 0 {
			t.Errorf("after ten slow minutes: key %v, not registered for %d s", now, lost)
		}
		if s.leases != 1 {
			t.Errorf("%d leases", s.leases)
		}
		f.intercepting(nil)
		closing(t, s)
	})
}
