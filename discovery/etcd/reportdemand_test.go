package etcd

import (
	"context"
	"errors"
	"maps"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// clientPuts returns when the key of a client was put.
func clientPuts(f *fake) (at []time.Time) {
	for _, c := range f.seen("put") {
		if strings.Contains(c.key, "/clients/") {
			at = append(at, c.at)
		}
	}
	return at
}

func pause() {
	time.Sleep(together + time.Second)
	synctest.Wait()
}

func wantDemand(t *testing.T, f *fake, s *supervisor, when string, want demand) {
	t.Helper()
	if got := clientOf(t, f, s, "users").Demand; !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", when, got, want)
	}
}

func TestReportedDemandIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announceAs(t, s, "checkout", "c")
		s.calls("users", true)
		pause()
		puts := len(clientPuts(f))
		s.reportDemand("users", demand{})
		pause()
		if n := len(clientPuts(f)) - puts; n != 0 {
			t.Errorf("%d writes of one who is shown and has nothing to say, want none", n)
		}
		s.reportDemand("users", demand{"x": 3})
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantDemand(t, f, s, "at once", demand{"x": 3})
		s.reportRules("users", rulesReport{Applied: 7})
		pause()
		if got := clientOf(t, f, s, "users"); got.Demand["x"] != 3 || got.Rules.Applied != 7 || got.Service != "checkout" {
			t.Errorf("beside the rules: %+v", got)
		}
		f.revokeAll()
		time.Sleep(linger / 2)
		wantDemand(t, f, s, "after the lease was lost", demand{"x": 3})
		s.reportDemand("users", nil)
		pause()
		wantDemand(t, f, s, "taken back", nil)
		closing(t, s)
		s.reportDemand("users", demand{"x": 4})
		pause()
		if got := callers(f); len(got) != 0 {
			t.Errorf("shown after the end: %v", got)
		}
	})
}

// Who shares a limit counts, also without a name, and also if it does not watch
// the service here.
func TestSharingALimitShowsAClientWithoutAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		want := func(when string, want map[string]string) {
			t.Helper()
			pause()
			if got := callers(f); !maps.Equal(got, want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		s.calls("users", true)
		want("only watched", map[string]string{})
		s.reportDemand("users", demand{})
		want("shares a limit", map[string]string{"users": ""})
		if c, err := decodeClient(f.get(s.keys.client("users", s.incarnation))); err != nil || c.Edition == 0 {
			t.Errorf("one without a name reads as %+v, %v", c, err)
		}
		s.reportDemand("orders", demand{"x": 3})
		want("not watched", map[string]string{"users": "", "orders": ""})

		s.reportDemand("users", nil)
		time.Sleep(linger / 2)
		s.reportDemand("users", demand{"x": 4})
		time.Sleep(2 * linger)
		want("shares it again", map[string]string{"users": "", "orders": ""})
		s.reportDemand("users", nil)
		s.reportDemand("orders", nil)
		want("just after", map[string]string{"users": "", "orders": ""})
		time.Sleep(linger)
		want("shares none", map[string]string{})

		s.reportDemand("orders", demand{"x": 3})
		want("another time", map[string]string{"orders": ""})
		announceAs(t, s, "checkout", "c")
		want("has a name now", map[string]string{"users": "checkout", "orders": "checkout"})
		s.calls("users", false)
		s.reportDemand("orders", nil)
		time.Sleep(linger)
		want("left", map[string]string{})
		closing(t, s)
	})
}

// However often it changes, a demand is written at most once in 5 s, and what was
// reported last is what stands.
func TestDemandIsWrittenOnceInFiveSeconds(t *testing.T) {
	for name, reports := range map[string]func(*supervisor, int){
		"one limit": func(s *supervisor, n int) { s.reportDemand("users", demand{"x": float64(n)}) },
		"and rules": func(s *supervisor, n int) {
			s.reportDemand("users", demand{"x": float64(n)})
			s.calls("users", n%2 == 0)
		},
		"all at one": func(s *supervisor, n int) { s.reportDemand("users", demand{"x": float64(n / 40)}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := f.supervisor(t)
				began := time.Now()
				for n := range 200 {
					reports(s, n)
					time.Sleep(700 * time.Millisecond)
				}
				pause()
				puts := clientPuts(f)
				for n := 1; n < len(puts); n++ {
					if gap := puts[n].Sub(puts[n-1]); gap < together {
						t.Errorf("two writes within %v", gap)
					}
				}
				if most := int(time.Since(began)/together) + 1; len(puts) > most || len(puts) < 2 {
					t.Errorf("%d writes, want at most %d", len(puts), most)
				}
				shown := clientOf(t, f, s, "users").Demand["x"]
				if shown != 199 && shown != 4 {
					t.Errorf("shown is %v, want what was reported last", shown)
				}
				before := len(puts)
				for range 100 {
					s.reportDemand("users", demand{"x": shown})
					time.Sleep(time.Second)
				}
				if n := len(clientPuts(f)) - before; n != 0 {
					t.Errorf("%d writes of what was known, want none", n)
				}
				closing(t, s)
			})
		})
	}
}

// What is reported while an earlier word is on its way is written 5 s after it.
func TestDemandReportedDuringAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		s.reportDemand("users", demand{"x": 1})
		pause()
		pause()
		before := len(clientPuts(f))
		var held atomic.Bool
		f.intercepting(func(_ context.Context, c call) error {
			if c.op == "put" && held.CompareAndSwap(false, true) {
				s.reportDemand("users", demand{"x": 3})
				time.Sleep(time.Second)
			}
			return nil
		})
		s.reportDemand("users", demand{"x": 2})
		time.Sleep(3 * together)
		synctest.Wait()
		wantDemand(t, f, s, "in the end", demand{"x": 3})
		if puts := clientPuts(f)[before:]; len(puts) != 2 || puts[1].Sub(puts[0]) < together-time.Millisecond {
			t.Errorf("written at %v, want 5 s apart", puts)
		}
		closing(t, s)
	})
}

// What was reported while etcd was away is written once, when it is back.
func TestDemandWaitsForEtcd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		var down atomic.Bool
		f.intercepting(func(context.Context, call) error {
			if down.Load() {
				return errors.New("down")
			}
			return nil
		})
		down.Store(true)
		for n := range 100 {
			s.reportDemand("users", demand{"x": float64(n)})
			time.Sleep(time.Second)
		}
		down.Store(false)
		before := len(clientPuts(f))
		pause()
		wantDemand(t, f, s, "back", demand{"x": 99})
		if n := len(clientPuts(f)) - before; n != 1 {
			t.Errorf("%d writes, want one", n)
		}
		closing(t, s)
	})
}

func TestOnlySoundDemandIsWritten(t *testing.T) {
	got := sound(map[string]float64{"x": 1, "nan": math.NaN(), "inf": math.Inf(1), "less": -1, "huge": 1e300, "": 3, strings.Repeat("n", 200): 3})
	if !maps.Equal(got, demand{"x": 1}) {
		t.Errorf("written is %v", got)
	}
	if sound(nil) != nil || sound(map[string]float64{}) == nil {
		t.Error("nothing to say and nothing at all are the same")
	}
}
