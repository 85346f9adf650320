package etcd

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// callers returns the services that etcd shows somebody to call, with who does.
func callers(f *fake) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]string{}
	for key, kv := range f.keys {
		if rest, ok := strings.CutPrefix(key, DefaultPrefix+"clients/"); ok {
			var r clientRecord
			if json.Unmarshal(kv.Value, &r) != nil || kv.Lease == 0 {
				return map[string]string{"malformed": key}
			}
			callee, _, _ := strings.Cut(rest, "/")
			all[callee] = r.Service
		}
	}
	return all
}

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		want := func(when string, want map[string]string) {
			t.Helper()
			time.Sleep(6 * time.Second)
			synctest.Wait()
			got := callers(f)
			if len(got) != len(want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
			for callee, caller := range want {
				if got[callee] != caller {
					t.Errorf("%s: %v, want %v", when, got, want)
				}
			}
		}
		s.calls("orders", true)
		want("without a name", nil)
		if n := len(f.seen()); n != 0 {
			t.Errorf("%d calls of a process that has nothing to say", n)
		}
		announceAs(t, s, "checkout", "c")
		want("named by what it registered", map[string]string{"orders": "checkout"})
		s.calls("users", true)
		want("a second callee", map[string]string{"orders": "checkout", "users": "checkout"})

		puts := len(f.seen("put", "delete"))
		for range 100 { // a channel that goes idle again and again
			s.calls("users", false)
			time.Sleep(time.Second / 2)
			s.calls("users", true)
		}
		want("after much coming and going", map[string]string{"orders": "checkout", "users": "checkout"})
		if n := len(f.seen("put", "delete")) - puts; n != 0 {
			t.Errorf("%d writes for what came and went within a minute, want none", n)
		}

		s.calls("users", false)
		want("just after the last watch ended", map[string]string{"orders": "checkout", "users": "checkout"})
		time.Sleep(linger)
		want("a minute later", map[string]string{"orders": "checkout"})
		f.revokeAll()
		time.Sleep(linger / 2)
		want("after the lease was lost", map[string]string{"orders": "checkout"})
		closing(t, s)
		want("closed", nil)
	})
}

// Whoever calls a service again, or shares a limit of it, just while it is taken
// out, is shown again.
func TestPresenceThatComesBackWhileItIsWithdrawn(t *testing.T) {
	for name, again := range map[string]func(*supervisor){
		"watched":         func(s *supervisor) { s.calls("users", true) },
		"shares a limit":  func(s *supervisor) { s.reportDemand("users", demand{"x": 3}) },
		"both, as before": func(s *supervisor) { s.calls("users", true); s.reportDemand("users", demand{"x": 3}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := f.supervisor(t)
				announceAs(t, s, "checkout", "c")
				s.calls("users", true)
				time.Sleep(2 * together)
				var held atomic.Bool
				f.intercepting(func(_ context.Context, c call) error {
					if c.op == "delete" && held.CompareAndSwap(false, true) {
						again(s)
						time.Sleep(time.Second)
					}
					return nil
				})
				s.calls("users", false)
				time.Sleep(linger + 2*together)
				synctest.Wait()
				if got := callers(f); !held.Load() || got["users"] != "checkout" {
					t.Errorf("shown are %v", got)
				}
				closing(t, s)
				if got := callers(f); len(got) != 0 {
					t.Errorf("shown after the end: %v", got)
				}
			})
		})
	}
}

// A process that is not allowed to show itself is registered all the same.
func TestForbiddenPresenceHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.intercepting(func(_ context.Context, c call) error {
			if strings.Contains(c.key, "/clients/") {
				return rpctypes.ErrPermissionDenied
			}
			return nil
		})
		s := f.supervisor(t)
		r := announce(t, s)
		s.calls("users", true)
		before := len(f.seen())
		time.Sleep(10 * time.Minute)
		if st := r.State(); !st.Registered || st.Repairs != 0 || len(callers(f)) != 0 {
			t.Errorf("%+v, callers %v", st, callers(f))
		}
		tries := 0
		for _, c := range f.seen()[before:] {
			if strings.Contains(c.key, "/clients/") {
				tries++
			}
		}
		if tries > 25 {
			t.Errorf("%d tries in ten minutes", tries)
		}
		closing(t, s)
	})
}
