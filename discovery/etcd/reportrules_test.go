package etcd

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/rule"
)

// clientOf returns what etcd shows of a process at a service it calls.
func clientOf(t *testing.T, f *fake, s *supervisor, service string) (r clientRecord) {
	t.Helper()
	kv := f.get(s.keys.client(service, s.incarnation))
	if kv == nil {
		t.Fatalf("no client of %s is shown", service)
	}
	if err := json.Unmarshal(kv.Value, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func rulesOf(t *testing.T, f *fake, s *supervisor, service string) rulesReport {
	t.Helper()
	r := clientOf(t, f, s, service)
	if r.Edition != rule.Edition {
		t.Errorf("edition %d, want %d", r.Edition, rule.Edition)
	}
	if r.Rules == nil {
		return rulesReport{}
	}
	return *r.Rules
}

func TestReportedRulesAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		settle := func() {
			time.Sleep(together + time.Second)
			synctest.Wait()
		}
		want := func(when string, want rulesReport) {
			t.Helper()
			if got := rulesOf(t, f, s, "users"); got != want {
				t.Errorf("%s: %+v, want %+v", when, got, want)
			}
		}
		s.reportRules("users", rulesReport{Applied: 3}) // nobody watches yet
		if n := len(f.seen()); n != 0 {
			t.Errorf("%d calls of a process that watches nothing", n)
		}
		announceAs(t, s, "checkout", "c")
		s.calls("users", true)
		settle()
		want("reported before the watch", rulesReport{Applied: 3})

		puts := len(f.seen("put"))
		for n := range int64(100) {
			s.reportRules("users", rulesReport{Applied: 4 + n})
		}
		s.reportRules("users", rulesReport{Applied: 103, Refused: 104, Reason: "bad"})
		settle()
		want("after many reports", rulesReport{Applied: 103, Refused: 104, Reason: "bad"})
		if n := len(f.seen("put")) - puts; n != 1 {
			t.Errorf("%d writes for what was reported at once, want one", n)
		}
		s.reportRules("users", rulesReport{Applied: 103, Refused: 104, Reason: "bad"})
		settle()
		if n := len(f.seen("put")) - puts; n != 1 {
			t.Errorf("%d writes for what was known, want none", n-1)
		}

		f.revokeAll()
		time.Sleep(linger / 2)
		want("after the lease was lost", rulesReport{Applied: 103, Refused: 104, Reason: "bad"})
		s.calls("users", false)
		s.reportRules("users", rulesReport{Applied: 105})
		s.calls("users", true) // it lingered
		settle()
		want("watched again", rulesReport{Applied: 105})
		s.calls("users", false)
		time.Sleep(2 * linger)
		s.reportRules("users", rulesReport{})
		s.calls("users", true)
		settle()
		want("taken back", rulesReport{})

		closing(t, s)
		s.reportRules("users", rulesReport{Applied: 106})
		settle()
		if got := callers(f); len(got) != 0 {
			t.Errorf("shown after the end: %v", got)
		}
	})
}

// All clients of a service have the same to say at the same moment, and do not
// write at the same moment.
func TestClientsReportRulesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		all := make([]*supervisor, 50)
		for n := range all {
			all[n] = f.supervisor(t)
			announceAs(t, all[n], "checkout", instanceName(n))
			all[n].calls("users", true)
		}
		time.Sleep(2 * together)
		before, began := len(f.seen("put")), time.Now()
		for _, s := range all {
			s.reportRules("users", rulesReport{Applied: 7})
		}
		time.Sleep(together + time.Second)
		synctest.Wait()
		seconds := map[time.Duration]int{}
		for _, c := range f.seen("put")[before:] {
			seconds[c.at.Sub(began)/time.Second]++
		}
		for second, n := range seconds {
			if n > len(all)/2 {
				t.Errorf("%d of %d wrote in second %d", n, len(all), second)
			}
		}
		for _, s := range all {
			if got := rulesOf(t, f, s, "users"); got.Applied != 7 {
				t.Errorf("shown is %+v", got)
			}
		}
		for _, s := range all {
			closing(t, s)
		}
	})
}

// What is reported while an earlier word is on its way is written after it.
func TestRulesReportedDuringAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := f.supervisor(t)
		announceAs(t, s, "checkout", "c")
		s.calls("users", true)
		time.Sleep(together + time.Second)
		var held atomic.Bool
		f.intercepting(func(_ context.Context, c call) error {
			if c.op == "put" && held.CompareAndSwap(false, true) {
				time.Sleep(time.Second)
			}
			return nil
		})
		s.reportRules("users", rulesReport{Applied: 1})
		for !held.Load() {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		s.reportRules("users", rulesReport{Applied: 2})
		time.Sleep(2 * together)
		if got := rulesOf(t, f, s, "users"); got.Applied != 2 {
			t.Errorf("shown is %+v, want the later report", got)
		}
		closing(t, s)
	})
}

func TestReasonsAreShortened(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", 256), strings.Repeat("x", 257), strings.Repeat("é", 200), strings.Repeat("x", 252) + "日本", "\xff"} {
		got := shorten(text)
		if len(got) > mostReason || !utf8.ValidString(got) || len(text) <= mostReason && utf8.ValidString(text) && got != text || len(text) > mostReason && !strings.HasSuffix(got, "…") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
