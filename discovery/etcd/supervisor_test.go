package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/bubble"
)

const key1 = DefaultPrefix + "instances/orders/a"

// announce registers the instance a of orders.
func announce(t *testing.T, s *supervisor) *registration {
	t.Helper()
	return announceAs(t, s, "orders", "a")
}

func announceAs(t *testing.T, s *supervisor, service, id string) *registration {
	t.Helper()
	i := discovery.Instance{Service: service, ID: id, Addr: "10.0.0.1:80"}.Normalize(time.Now())
	r, err := s.add(i)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hang lets a call stay without an answer.
func hang(ctx context.Context, _ call) error {
	<-ctx.Done()
	return ctx.Err()
}

// refuse fails a call at once, as an etcd that cannot be reached does.
func refuse(context.Context, call) error { return errors.New("refused") }

// only narrows what an interceptor does to some kinds of calls.
func only(do func(context.Context, call) error, ops ...string) func(context.Context, call) error {
	return func(ctx context.Context, c call) error {
		if slices.Contains(ops, c.op) {
			return do(ctx, c)
		}
		return nil
	}
}

func closing(t *testing.T, s *supervisor) {
	t.Helper()
	if err := s.close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatsComeEveryQuarterOfTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announce(t, s)
		time.Sleep(10 * time.Minute)
		closing(t, s)

		beats := f.seen("grant", "keepalive")
		for n := 1; n < len(beats); n++ {
			if gap := beats[n].at.Sub(beats[n-1].at); gap < DefaultTTL/4*9/10 || gap > DefaultTTL/4*11/10 {
				t.Errorf("heartbeat %d came %s after the one before, want a quarter of %s and a tenth of that to both sides", n, gap, DefaultTTL)
			}
		}
		if n := len(beats); n < 140 {
			t.Errorf("%d heartbeats in ten minutes", n)
		}
		if f.clients != 1 || len(f.seen("grant")) != 1 || len(f.seen("put")) != 1 {
			t.Errorf("in health: %d clients, %d leases, %d puts, want one each", f.clients, len(f.seen("grant")), len(f.seen("put")))
		}
	})
}

func TestNoCallWaitsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announce(t, s)
		time.Sleep(time.Minute)
		f.intercepting(hang)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := s.close(ctx); err == nil || !strings.Contains(err.Error(), "expires within 15s") {
			t.Errorf("close while etcd hangs: %v, want that the lease is left to expire", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("close while etcd hangs took %s", took)
		}
		for _, c := range f.seen() {
			if c.deadline <= 0 || c.deadline > longestCall {
				t.Errorf("%s %s could wait for %s, want at most %s", c.op, c.key, c.deadline, longestCall)
			}
		}
	})
}

// Trap 1: bounded retries, then silence.
func TestTrap1RetriesNeverEndAndNeverRush(t *testing.T) {
	for name, fault := range map[string]func(context.Context, call) error{"refused": refuse, "hanging": hang} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.intercepting(fault)
				s := f.supervisor(t)
				r := announce(t, s)
				const outage = 24 * time.Hour
				time.Sleep(outage)
				if s := r.State(); s.Registered || s.Reason == "" {
					t.Errorf("after a day: %+v, want not registered and why", s)
				}
				tries := f.seen()
				for n := 1; n < len(tries); n++ {
					if gap := tries[n].at.Sub(tries[n-1].at); gap > longestCall+longestPause {
						t.Fatalf("%s between two tries, want at most a call and a pause", gap)
					}
				}
				if n := time.Duration(len(tries)); n > outage/(2*time.Second) {
					t.Errorf("%d tries in a day: they rush", n)
				}

				f.intercepting(nil)
				time.Sleep(longestCall + longestPause)
				synctest.Wait()
				if s := r.State(); !s.Registered {
					t.Errorf("a call and a pause after etcd is back: %+v", s)
				}
				closing(t, s)
			})
		})
	}
}

// Trap 4: a put under a lease that is gone, repeated for ever.
func TestTrap4PutWithDeadLeaseIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		r := announce(t, s)
		synctest.Wait()
		f.revokeAll()

		changed := r.Instance()
		changed.Zone = "north-1"
		if err := r.Update(changed); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("registered again after %s, want at most the jitter of 1 s", took)
		}
		if n := len(f.seen("put")); n != 4 { // the first, two that failed: the key was gone, then the lease; the last
			t.Errorf("%d puts, want 4", n)
		}
		if kv := f.get(key1); !strings.Contains(string(kv.GetValue()), "north-1") {
			t.Errorf("etcd holds %s, want the new zone", kv)
		}
		if s := r.State(); s.Repairs != 1 {
			t.Errorf("State() = %+v, want one repair", s)
		}
		closing(t, s)
	})
}

// Trap 7: each failure leaves one more heartbeat goroutine behind.
func TestTrap7ThereIsOneHeartbeatGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announce(t, s)
		synctest.Wait()
		before := bubble.Goroutines()
		for range 20 {
			f.revokeAll()
			time.Sleep(10 * time.Second)
			f.intercepting(refuse)
			time.Sleep(30 * time.Second)
			f.intercepting(nil)
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if after := bubble.Goroutines(); after > before {
			t.Errorf("%d goroutines after 20 failures, %d before", after, before)
		}
		from := len(f.seen("keepalive"))
		time.Sleep(time.Minute)
		if n := len(f.seen("keepalive")) - from; n > 18 {
			t.Errorf("%d heartbeats in a minute, want those of one", n)
		}
		closing(t, s)
	})
}

// Trap 13: everybody registers again at the same moment.
func TestTrap13LostLeasesReturnSpreadOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		const n = 50
		var all []*supervisor
		for i := range n {
			s := f.supervisor(t)
			all = append(all, s)
			r := announceAs(t, s, "orders", fmt.Sprint(i))
			synctest.Wait()
			defer func() {
				if got := r.State(); got.Repairs != 1 {
					t.Errorf("State() = %+v, want one repair", got)
				}
			}()
		}
		f.revokeAll()
		from := len(f.seen())
		for _, s := range all { // all find out at once
			s.mu.Lock()
			s.due = time.Time{}
			s.mu.Unlock()
			s.wakeUp()
		}
		began := time.Now()
		time.Sleep(2 * time.Second)
		early, late := 0, 0
		for _, c := range f.seen()[from:] {
			switch at := c.at.Sub(began); {
			case c.op != "grant":
			case at > time.Second:
				t.Errorf("a lease was asked for after %s, want at most 1 s", at)
			case at < 500*time.Millisecond:
				early++
			default:
				late++
			}
		}
		if early+late != n || early < n/10 || late < n/10 {
			t.Errorf("%d leases in the first half second and %d in the second, want %d spread over both", early, late, n)
		}
		for _, s := range all {
			closing(t, s)
		}
	})
}

// A connection that claims to stand and answers nothing is replaced after two
// calls; one that refuses is not.
func TestUnansweredClientIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(context.Context, call) error
		least int
		most  int
	}{
		{"HangingCalls", hang, 2, 10},
		{"DeadlineReportedByTheServer", func(context.Context, call) error { return status.Error(codes.DeadlineExceeded, "slow") }, 2, 10},
		{"RefusedCalls", refuse, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := f.supervisor(t)
				r := announce(t, s)
				synctest.Wait()
				beat := f.get(key1)
				f.intercepting(only(c.fault, "keepalive"))
				time.Sleep(13 * time.Second)
				f.intercepting(nil)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if f.clients < c.least || f.clients > c.most {
					t.Errorf("%d clients, want %d to %d", f.clients, c.least, c.most)
				}
				if s := r.State(); f.get(key1) == nil || !s.Registered {
					t.Errorf("afterwards etcd holds %v (before: %v) and State() = %+v", f.get(key1), beat, s)
				}
				closing(t, s)
			})
		})
	}
}

// What cannot be written is tried again and again, and costs the others
// nothing, not even a heartbeat.
func TestHangingPutStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.intercepting(func(ctx context.Context, c call) error {
			if c.op == "put" && strings.Contains(c.key, "/stuck/") {
				return hang(ctx, c)
			}
			return nil
		})
		s := f.supervisor(t)
		good := announce(t, s)
		for n := range 20 {
			announceAs(t, s, "stuck", fmt.Sprint(n))
		}
		if err := good.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if n := len(f.seen("grant")); n != 1 || good.State().Repairs != 0 {
			t.Errorf("%d leases and %+v, want one lease and no repair", n, good.State())
		}
		closing(t, s)
	})
}

// While etcd is away one call at a time asks whether it is back, and not one
// for each registration.
func TestOutageIsProbedByTheHeartbeatAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		for n := range 20 {
			announceAs(t, s, "orders", fmt.Sprint(n))
		}
		time.Sleep(time.Minute)
		f.intercepting(hang)
		time.Sleep(callTimeout) // what was due at that moment
		from := len(f.seen())
		time.Sleep(5 * time.Minute)
		for _, c := range f.seen()[from:] {
			if c.op != "keepalive" {
				t.Errorf("%s %s during the outage", c.op, c.key)
			}
		}
		f.intercepting(nil)
		time.Sleep(time.Minute)
		for _, r := range s.registrations {
			if got := r.State(); !got.Registered || got.Repairs != 1 {
				t.Errorf("afterwards: %+v, want registered after one repair", got)
			}
		}
		closing(t, s)
	})
}

// Nobody can be said to see what hangs on a lease that nobody confirmed for
// its time to live.
func TestRegisteredEndsWithTheProofOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		r := announce(t, s)
		synctest.Wait()
		f.intercepting(hang)
		time.Sleep(DefaultTTL - time.Second)
		if s := r.State(); !s.Registered {
			t.Errorf("before the TTL is over: %+v", s)
		}
		time.Sleep(2 * time.Second) // whatever call hangs just now
		if s := r.State(); s.Registered || !strings.Contains(s.Reason, "no heartbeat") {
			t.Errorf("when the TTL is over: %+v, want not registered and why", s)
		}
		time.Sleep(DefaultTTL / 2)
		if s := r.State(); s.Registered || !strings.Contains(s.Reason, "no heartbeat") {
			t.Errorf("after the TTL is over: %+v, want not registered and why", s)
		}
		if err := waitAtMost(t, r, time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want the end of the context", err)
		}
		// etcd was away itself: it comes back with the lease as it was.
		f.mu.Lock()
		for id, l := range f.leases {
			l.expiry = time.Now().Add(time.Hour)
			f.leases[id] = l
		}
		f.putLocked(key1, r.value, int64(s.lease))
		f.mu.Unlock()
		f.intercepting(nil)
		if err := waitAtMost(t, r, longestCall+longestPause+time.Second); err != nil {
			t.Error(err)
		}
		if s := r.State(); !s.Registered || s.Repairs != 0 {
			t.Errorf("after etcd is back: %+v, want registered without a repair", s)
		}
		closing(t, s)
	})
}

func waitAtMost(t *testing.T, r *registration, d time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return r.Wait(ctx)
}

func TestOwnKeyIsReadBackAndRepaired(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(f *fake, lease int64)
	}{
		{"Missing", func(f *fake, _ int64) { f.delete(key1) }},
		{"WithoutLease", func(f *fake, _ int64) { f.put(key1, "{}", 0) }},
		{"ForeignValue", func(f *fake, lease int64) { f.put(key1, "{}", lease) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := f.supervisor(t)
				r := announce(t, s)
				synctest.Wait()
				before := f.get(key1)
				c.harm(f, before.Lease)
				time.Sleep(30*time.Second + time.Millisecond)
				synctest.Wait()
				if after := f.get(key1); after == nil || string(after.Value) != string(before.Value) || after.Lease != before.Lease {
					t.Errorf("30 s later etcd holds %v, want %v", after, before)
				}
				if s := r.State(); !s.Registered || s.Repairs != 1 {
					t.Errorf("State() = %+v, want one repair", s)
				}
				closing(t, s)
			})
		})
	}
}

// The put is proved by a read. An etcd that says yes and holds something else
// is not believed.
func TestRegisteredIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.swallow = true
		s := f.supervisor(t)
		r := announce(t, s)
		if err := waitAtMost(t, r, time.Minute); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("Wait: %v, want the end of the context and what is wrong", err)
		}
		f.mu.Lock()
		f.swallow = false
		f.mu.Unlock()
		if err := waitAtMost(t, r, longestCall+longestPause+time.Second); err != nil {
			t.Error(err)
		}
		closing(t, s)
	})
}

func TestCloseStopsBeforeItDeletesAndDeletesBeforeItRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announce(t, s)
		announceAs(t, s, "users", "b")
		synctest.Wait()
		before := len(f.seen())
		closing(t, s)
		time.Sleep(time.Hour)
		var got []string
		for _, c := range f.seen()[before:] {
			got = append(got, c.op)
		}
		if want := "revoke"; strings.Join(got, " ") != want {
			t.Errorf("calls from Close on: %v, want %s", got, want)
		}
		if _, err := s.add(discovery.Instance{Service: "orders", ID: "c"}); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("add after close: %v, want ErrClosed", err)
		}
	})
}

// What could not be deleted one by one goes with the lease, which is tried
// three times.
func TestRevocationMakesUpForDeletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announce(t, s)
		synctest.Wait()
		f.intercepting(func(ctx context.Context, c call) error {
			if c.op == "delete" || c.op == "revoke" && len(f.seen("revoke")) < 3 {
				return hang(ctx, c)
			}
			return nil
		})
		closing(t, s)
		if kv := f.get(key1); kv != nil {
			t.Errorf("etcd still holds %v", kv)
		}
	})
}

func TestCloseOfOneLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		a, b := announce(t, s), announceAs(t, s, "orders", "b")
		synctest.Wait()
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if f.get(key1) != nil || f.get(b.key) == nil {
			t.Errorf("after closing a etcd holds a: %v, b: %v", f.get(key1), f.get(b.key))
		}
		if s := b.State(); !s.Registered || s.Repairs != 0 {
			t.Errorf("b: %+v", s)
		}
		again := announce(t, s) // the same ID, once it is free
		if err := again.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.add(again.Instance()); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("adding an ID twice: %v, want it refused", err)
		}
		closing(t, s)
	})
}

func TestCloseWhileEtcdHangsEndsWithTheContextAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		r := announce(t, s)
		synctest.Wait()
		f.intercepting(hang)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want the end of the context", err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("second Close: %v", err)
		}
		f.intercepting(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if kv := f.get(key1); kv != nil {
			t.Errorf("10 s after etcd is back it holds %v", kv)
		}
		closing(t, s)
	})
}

func TestCloseOfWhatWasNeverAnnouncedWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.intercepting(hang)
		s := f.supervisor(t)
		r := announce(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 2*longestCall) // the call that hangs ends by itself
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
		closing(t, s)
	})
}

// A put that nobody waits for any more may arrive after the deletion.
func TestLatePutIsWithdrawnAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		first := announceAs(t, s, "users", "b") // keeps the lease alive
		synctest.Wait()
		f.intercepting(only(func(ctx context.Context, c call) error {
			time.AfterFunc(callTimeout+time.Second, func() { f.put(c.key, "late", int64(s.lease)) })
			return hang(ctx, c)
		}, "put"))
		r := announce(t, s)
		time.Sleep(callTimeout / 2)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if f.get(key1) == nil {
			t.Fatal("the late put did not arrive: the test tests nothing")
		}
		time.Sleep(2 * longestCall)
		synctest.Wait()
		if kv := f.get(key1); kv != nil {
			t.Errorf("etcd holds %v after Close", kv)
		}
		if s := first.State(); !s.Registered {
			t.Errorf("the other registration: %+v", s)
		}
		closing(t, s)
	})
}

// Whatever happens to etcd, to the lease and to the key, in whatever order: in
// the end etcd holds what was said last, and nothing after Close.
func TestSupervisorConverges(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				f := newFake()
				s := f.supervisor(t)
				r := announce(t, s)
				for range 30 {
					synctest.Wait()
					switch random.IntN(8) {
					case 0:
						f.revokeAll()
					case 1:
						f.delete(key1)
					case 2:
						f.put(key1, "{}", 0)
					case 3:
						f.intercepting(hang)
					case 4:
						f.intercepting(refuse)
					case 5:
						f.intercepting(func(context.Context, call) error { return rpctypes.ErrGRPCNoSpace })
					case 6:
						f.intercepting(nil)
					case 7:
						changed := r.Instance()
						changed.Weight = 1 + random.IntN(100)
						if err := r.Update(changed); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
				}
				f.intercepting(nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				kv := f.get(key1)
				if kv == nil || string(kv.Value) != r.value || kv.Lease != int64(s.lease) {
					t.Errorf("a minute after the last trouble etcd holds %v, want %s under %x", kv, r.value, s.lease)
				}
				if s := r.State(); !s.Registered {
					t.Errorf("State() = %+v", s)
				}
				closing(t, s)
				time.Sleep(time.Hour)
				if kv := f.get(key1); kv != nil {
					t.Errorf("after Close etcd holds %v", kv)
				}
			})
		})
	}
}
