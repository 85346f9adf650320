package transport_test

import (
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/transport"
)

func TestWithCall(t *testing.T) {
	var (
		key        = transport.Key
		idempotent = transport.Idempotent
		wait       = transport.WaitForReady
		with       = transport.WithCall
	)
	tests := []struct {
		name string
		ctx  func(context.Context) context.Context
		call transport.Call // as the door made it
		want transport.Call
	}{
		{"nothing is said", func(ctx context.Context) context.Context { return ctx },
			transport.Call{Key: "door's", Idempotent: true}, transport.Call{Key: "door's", Idempotent: true}},
		{"a key", func(ctx context.Context) context.Context { return with(ctx, key("user 7")) },
			transport.Call{Idempotent: true}, transport.Call{Key: "user 7", Idempotent: true}},
		{"a method is declared idempotent", func(ctx context.Context) context.Context { return with(ctx, idempotent(true)) },
			transport.Call{}, transport.Call{Idempotent: true}},
		{"a method is declared not to be", func(ctx context.Context) context.Context { return with(ctx, idempotent(false)) },
			transport.Call{Idempotent: true}, transport.Call{}},
		{"to wait for ready", func(ctx context.Context) context.Context { return with(ctx, wait(true)) },
			transport.Call{}, transport.Call{WaitForReady: true}},
		{"not to wait after all", func(ctx context.Context) context.Context { return with(with(ctx, wait(true)), wait(false)) },
			transport.Call{WaitForReady: true}, transport.Call{}},
		{"both", func(ctx context.Context) context.Context { return with(ctx, key("k"), idempotent(true)) },
			transport.Call{}, transport.Call{Key: "k", Idempotent: true}},
		{"inner adds to outer", func(ctx context.Context) context.Context { return with(with(ctx, key("k")), idempotent(true)) },
			transport.Call{}, transport.Call{Key: "k", Idempotent: true}},
		{"inner overrides outer", func(ctx context.Context) context.Context {
			return with(with(ctx, key("outer"), idempotent(true)), key("inner"), idempotent(false))
		}, transport.Call{}, transport.Call{Key: "inner"}},
		{"inner leaves outer alone", func(ctx context.Context) context.Context {
			outer := with(ctx, key("outer"))
			with(outer, key("inner"), idempotent(true))
			return outer
		}, transport.Call{}, transport.Call{Key: "outer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call := tt.call
			call.Apply(tt.ctx(t.Context()))
			if got, want := said(call), said(tt.want); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// said is what a context may say of a call.
func said(c transport.Call) (s struct {
	key              string
	idempotent, wait bool
}) {
	s.key, s.idempotent, s.wait = c.Key, c.Idempotent, c.WaitForReady
	return s
}
