package fairleadtest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// told is what a source said last.
type told struct {
	mu       sync.Mutex
	document rule.Document
	err      error
}

// hearing follows the rules of a service until the test ends. It is for a bubble.
func hearing(t *testing.T, r *fairleadtest.Rulebook, service string) func() (rule.Document, error) {
	last := new(told)
	go func() {
		for d, err := range r.Rules(t.Context(), service) {
			last.mu.Lock()
			last.document, last.err = d, err
			last.mu.Unlock()
		}
	}()
	return func() (rule.Document, error) {
		synctest.Wait()
		last.mu.Lock()
		defer last.mu.Unlock()
		return last.document, last.err
	}
}

func ordersPolicy() rule.Policy {
	return rule.Policy{APIVersion: rule.APIVersion, Kind: rule.Kind, Spec: rule.Spec{Service: "orders"}}
}

func TestRulebookSaysWhatItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fairleadtest.Rulebook)
		heard := hearing(t, r, "orders")
		if d, err := heard(); d.Text != nil || !d.Live || d.Service != "orders" || err != nil {
			t.Errorf("before anything was put, it says %+v: %v", d, err)
		}
		revision := r.Put(ordersPolicy())
		if d, err := heard(); d.Revision != revision || !d.Live || err != nil || d.Origin == "" {
			t.Errorf("once a policy was put, it says %+v: %v", d, err)
		} else if p, err := rule.Decode(d.Text); err != nil || p.Spec.Service != "orders" {
			t.Errorf("the policy reads back as %+v: %v", p, err)
		}
		if next := r.PutText("orders", []byte("{")); next <= revision {
			t.Errorf("revision %d comes after %d", next, revision)
		}
		if d, _ := heard(); string(d.Text) != "{" {
			t.Errorf("a bad text comes as %q", d.Text)
		}
		r.PutText("orders", nil)
		if d, err := heard(); d.Text != nil || !d.Live || err != nil {
			t.Errorf("once it was taken away, it says %+v: %v", d, err)
		}
	})
}

func TestRulebookLosesTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fairleadtest.Rulebook)
		r.Put(ordersPolicy())
		heard := hearing(t, r, "orders")
		r.Lose(true)
		if d, err := heard(); d.Live || err == nil || !strings.Contains(err.Error(), "orders") {
			t.Errorf("lost, it says %+v: %v", d, err)
		}
		r.Lose(false)
		if d, err := heard(); !d.Live || d.Text == nil || err != nil {
			t.Errorf("found, it says %+v: %v", d, err)
		}
	})
}

func TestRulebookKeepsServicesAndSettingsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fairleadtest.Rulebook)
		users := hearing(t, r, "users")
		r.Put(ordersPolicy())
		if d, _ := users(); d.Text != nil {
			t.Errorf("users are told %s", d.Text)
		}
		revision := r.PutSettings(rule.Settings{APIVersion: rule.APIVersion, Kind: rule.SettingsKind})
		if d, _ := users(); d.Text != nil {
			t.Errorf("users are told %s", d.Text)
		}
		for d, err := range r.Settings(t.Context()) {
			if d.Revision != revision || !d.Live || err != nil {
				t.Errorf("settings come as %+v: %v", d, err)
			}
			break
		}
	})
}

// Many listen while it is written to, and each ends with its context.
func TestRulebookIsForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fairleadtest.Rulebook)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				last := int64(0)
				for d := range r.Rules(ctx, "orders") {
					if d.Revision < last {
						t.Errorf("revision %d came after %d", d.Revision, last)
					}
					last = d.Revision
				}
				if last != 100 {
					t.Errorf("the last revision heard of is %d", last)
				}
			})
		}
		for range 100 {
			r.Put(ordersPolicy())
		}
		synctest.Wait()
		cancel()
		all.Wait()
	})
}

func TestRulebookPanicsAtWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		put  func(*fairleadtest.Rulebook)
	}{
		{"Policy", func(r *fairleadtest.Rulebook) { r.Put(rule.Policy{}) }},
		{"Settings", func(r *fairleadtest.Rulebook) { r.PutSettings(rule.Settings{}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it takes anything")
				}
			}()
			c.put(new(fairleadtest.Rulebook))
		})
	}
}
