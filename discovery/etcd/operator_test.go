package etcd

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

func (f *fake) operator(t *testing.T) *Operator {
	t.Helper()
	o, err := newOperator(Config{Client: clientv3.Config{Endpoints: []string{"fake:2379"}}, Logger: slog.New(slog.DiscardHandler)}, f.dial)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Why a call came to nothing can be told apart.
func TestErrorsOfAnOperator(t *testing.T) {
	for name, c := range map[string]struct {
		intercept func(context.Context, call) error
		is, not   error
		tries     bool // more than one
	}{
		"Silent":      {hang, ErrUnreachable, discovery.ErrUnauthorized, true},
		"NoLeader":    {func(context.Context, call) error { return rpctypes.ErrGRPCNoLeader }, ErrUnreachable, nil, true},
		"Overloaded":  {func(context.Context, call) error { return rpctypes.ErrGRPCRequestTooManyRequests }, ErrUnreachable, nil, true},
		"Forbidden":   {func(context.Context, call) error { return rpctypes.ErrGRPCPermissionDenied }, discovery.ErrUnauthorized, ErrUnreachable, false},
		"BadPassword": {func(context.Context, call) error { return rpctypes.ErrGRPCAuthFailed }, discovery.ErrUnauthorized, ErrUnreachable, false},
		"Full":        {func(context.Context, call) error { return rpctypes.ErrGRPCNoSpace }, discovery.ErrNoSpace, ErrUnreachable, false},
		"TooLarge":    {func(context.Context, call) error { return rpctypes.ErrGRPCRequestTooLarge }, rpctypes.ErrRequestTooLarge, ErrUnreachable, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				o := f.operator(t)
				f.intercepting(c.intercept)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := o.Rules(ctx, "orders")
				if !errors.Is(err, c.is) || c.not != nil && errors.Is(err, c.not) {
					t.Errorf("error %v", err)
				}
				if n := len(f.seen()); n > 1 != c.tries {
					t.Errorf("%d tries", n)
				}
				if err := o.SetOverride(ctx, "orders", "a", Override{Drain: true}, 0); err == nil {
					t.Error("a write that came to nothing has no error")
				}
				o.Close()
			})
		})
	}
}

// An etcd that comes back in time has only made its operator wait.
func TestOperatorWaitsForEtcd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := f.operator(t)
		defer o.Close()
		f.intercepting(hang)
		time.AfterFunc(5*time.Second, func() { f.intercepting(nil) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := o.SetOverride(ctx, "orders", "a", Override{Drain: true}, 0); err != nil {
			t.Error(err)
		}
		if v, err := o.Override(ctx, "orders", "a"); err != nil || !v.Override.Drain || v.Revision == 0 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestOperatorThatWasClosedOrStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := f.operator(t)
		f.intercepting(hang)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := o.Services(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
			t.Errorf("stopped: %v", err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := o.Services(t.Context()); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOverridesOfAnOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := newFake(), t.Context()
		o := f.operator(t)
		defer o.Close()
		word := Override{Drain: true, By: "ann", Reason: "disk"}
		if err := o.SetOverride(ctx, "orders", "a", word, 0); err != nil {
			t.Fatal(err)
		}
		v, err := o.Override(ctx, "orders", "a")
		if err != nil || v.Override != word {
			t.Fatalf("%+v, %v", v, err)
		}
		err = o.SetOverride(ctx, "orders", "a", Override{Weight: 3}, 0)
		if conflict, ok := errors.AsType[*ConflictError](err); !ok || conflict.Read != 0 || conflict.Found != v.Revision {
			t.Errorf("somebody else's word is written over: %v", err)
		}
		f.late = true // what is written, and not confirmed, is no conflict with oneself
		if err := o.SetOverride(ctx, "orders", "a", Override{Weight: 3}, v.Revision); err != nil {
			t.Error(err)
		}
		v, _ = o.Override(ctx, "orders", "a")
		f.late = true
		if err := o.SetOverride(ctx, "orders", "a", Override{}, v.Revision); err != nil || f.get(o.keys.override("orders", "a")) != nil {
			t.Errorf("taken back: %v", err)
		}
		f.put(o.keys.override("orders", "a"), `{"state":"drian"}`, 0)
		if v, err := o.Override(ctx, "orders", "a"); err != nil || v.Refused == "" || v.Revision == 0 {
			t.Errorf("a misspelt one: %+v, %v", v, err)
		}
		for _, err := range []error{
			o.SetOverride(ctx, "Orders", "a", word, 0),
			o.SetOverride(ctx, "orders", "a/b", word, 0),
			o.SetOverride(ctx, "orders", "a", Override{Weight: -1}, 0),
		} {
			if !errors.Is(err, discovery.ErrInvalid) {
				t.Errorf("error %v", err)
			}
		}
	})
}
