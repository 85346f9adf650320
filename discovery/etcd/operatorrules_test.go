package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
)

// policy is one that can be told from others by its timeout.
func policy(timeout time.Duration) rule.Policy {
	return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders", Timeout: rule.Duration(timeout)}}
}

// says is what a version says: its number, and its timeout.
func says(v RuleVersion) string {
	var p rule.Policy
	if json.Unmarshal(v.Text, &p) != nil {
		return fmt.Sprintf("%d:none", v.Number)
	}
	return fmt.Sprintf("%d:%s", v.Number, p.Spec.Timeout)
}

func TestVersionsOfRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := newFake(), t.Context()
		o := f.operator(t)
		defer o.Close()
		is := func(want string) RuleVersion {
			t.Helper()
			v, err := o.Rules(ctx, "orders")
			if err != nil || says(v) != want || v.Revision == 0 != (v.Text == nil) {
				t.Errorf("the rules are %+v (%s), %v; want %s", v, says(v), err, want)
			}
			return v
		}
		history := func(want ...string) {
			t.Helper()
			all, err := o.History(ctx, "orders")
			var got []string
			for _, v := range all {
				got = append(got, says(v))
			}
			if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("versions %v, %v; want %v", got, err, want)
			}
		}
		put := func(timeout time.Duration, wantNow, wantBefore string) {
			t.Helper()
			read, err := o.Rules(ctx, "orders")
			if err != nil {
				t.Fatal(err)
			}
			now, before, err := o.PutRules(ctx, policy(timeout), read.Revision, Note{"ann", "load"})
			if err != nil || says(now) != wantNow || says(before) != wantBefore {
				t.Errorf("now %s, before %s, %v; want %s and %s", says(now), says(before), err, wantNow, wantBefore)
			}
			if v := is(wantNow); v.Revision != now.Revision || v.Note != (Note{"ann", "load"}) || !v.At.Equal(now.At) {
				t.Errorf("%+v stands, %+v was written", v, now)
			}
		}
		is("0:none")
		history()
		put(time.Second, "1:1s", "0:none")
		put(2*time.Second, "2:2s", "1:1s")
		if text, _ := json.Marshal(policy(2 * time.Second)); string(f.get(o.keys.rule("orders")).Value) != string(text) {
			t.Errorf("in etcd stands %s", f.get(o.keys.rule("orders")).Value)
		}
		history("2:2s", "1:1s")
		lost := 0
		f.intercepting(func(_ context.Context, c call) error {
			if c.op == "put" && lost == 0 { // it is made, and its answer lost
				f.mu.Lock()
				defer f.mu.Unlock()
				lost, f.late = 1, true
			}
			return nil
		})
		put(3*time.Second, "3:3s", "2:2s")
		if lost != 1 || f.late {
			t.Error("no answer was lost")
		}

		now, before, err := o.DeleteRules(ctx, "orders", is("3:3s").Revision, Note{})
		if err != nil || says(now) != "4:none" || says(before) != "3:3s" {
			t.Errorf("deleted: %s, %s, %v", says(now), says(before), err)
		}
		is("0:none")
		if now, before, err := o.DeleteRules(ctx, "orders", 0, Note{}); err != nil || now.Number != 0 || before.Number != 0 {
			t.Errorf("deleted twice: %+v, %+v, %v", now, before, err)
		}
		put(5*time.Second, "5:5s", "0:none")
		history("5:5s", "4:none", "3:3s", "2:2s", "1:1s")

		f.put(o.keys.rule("orders"), `{"kind":"ServicePolicy","apiVersion":"fairlead/v1alpha1","spec":{"service":"orders","timeout":"9000ms"}}`, 0)
		is("0:9s") // past us
		put(6*time.Second, "7:6s", "6:9s")
		history("7:6s", "6:9s", "5:5s", "4:none", "3:3s", "2:2s", "1:1s")
		f.put(o.keys.rule("orders"), `nothing`, 0)
		put(7*time.Second, "8:7s", "0:none")
		f.put(o.keys.version("orders", 2), `[]`, 0)
		if all, err := o.History(ctx, "orders"); err != nil || all[6].Number != 2 || all[6].Malformed == "" {
			t.Errorf("history with a version that is none: %+v, %v", all, err)
		}

		for n := range KeptVersions {
			put(time.Minute+time.Duration(n)*time.Second, fmt.Sprintf("%d:1m%ds", 9+n, n), says(must(o.Rules(ctx, "orders"))))
		}
		all, err := o.History(ctx, "orders")
		if err != nil || len(all) != KeptVersions || all[0].Number != 28 || all[19].Number != 9 {
			t.Errorf("%d versions, %v", len(all), err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRulesOfTwoOperators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := newFake(), t.Context()
		ann, bob := f.operator(t), f.operator(t)
		defer ann.Close()
		defer bob.Close()
		refused := func(err error, read, found int64) {
			t.Helper()
			if c, ok := errors.AsType[*ConflictError](err); !ok || c.Read != read || c.Found != found {
				t.Errorf("error %v, want a conflict between %d and %d", err, read, found)
			}
		}
		first, _, err := ann.PutRules(ctx, policy(time.Second), 0, Note{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = bob.PutRules(ctx, policy(time.Minute), 0, Note{})
		refused(err, 0, first.Revision)
		// Somebody is faster by a moment: the first transaction reads, the second writes.
		var second int64
		reads := 0
		f.onTxn = func() {
			if reads++; reads == 2 {
				f.revision++
				f.putLocked(ann.keys.rule("orders"), `{}`, 0)
				second = f.revision
			}
		}
		_, _, err = bob.PutRules(ctx, policy(time.Minute), first.Revision, Note{})
		refused(err, first.Revision, second)
		_, _, err = bob.DeleteRules(ctx, "orders", first.Revision, Note{})
		refused(err, first.Revision, second)
		if all, err := bob.History(ctx, "orders"); err != nil || len(all) != 1 {
			t.Errorf("after what was refused there are %d versions, %v", len(all), err)
		}
	})
}

func TestRulesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := newFake(), t.Context()
		o := f.operator(t)
		defer o.Close()
		bad := policy(-1)
		if _, _, err := o.PutRules(ctx, bad, 0, Note{}); !is[rule.Problems](err) {
			t.Errorf("bad rules: %v", err)
		}
		large := policy(0)
		for range 200 {
			r := rule.Route{}
			for range 5 {
				r.Match = append(r.Match, rule.Match{Path: &rule.Text{Prefix: "/" + strings.Repeat("<", 255)}})
			}
			large.Spec.Routes = append(large.Spec.Routes, r)
		}
		if _, _, err := o.PutRules(ctx, large, 0, Note{}); !is[rule.Problems](err) {
			t.Errorf("rules whose JSON is too large: %v", err)
		}
		if _, _, err := o.PutRules(ctx, policy(0), 0, Note{Reason: strings.Repeat("x", 257)}); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("a reason that is too long: %v", err)
		}
		if _, err := o.Rules(ctx, "Orders"); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("a name that is none: %v", err)
		}
		if n := len(f.seen()); n != 0 {
			t.Errorf("%d calls for what is refused without asking", n)
		}
	})
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
