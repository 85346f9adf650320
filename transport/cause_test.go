package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/transport"
)

// Whoever gives a context a cause finds both in the error: the context's own,
// which decides what the error is taken for, and the cause.
func TestACauseDoesNotHideTheContextError(t *testing.T) {
	why := errors.New("the user went away")
	tests := []struct {
		name    string
		end     func(context.Context) (context.Context, context.CancelFunc)
		own     error
		timeout bool
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, time.Second, why)
		}, context.DeadlineExceeded, true},
		{"cancellation", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(why) })
			return ctx, func() { cancel(nil) }
		}, context.Canceled, false},
	}
	for _, tt := range tests {
		for where, mesh := range map[string]func(*testing.T) *transport.Mesh{
			"in the wait for the first list": func(t *testing.T) *transport.Mesh { return newMesh(t, make(scripted)) },
			"before the first attempt": func(t *testing.T) *transport.Mesh {
				m := knowing(t, newMesh(t, orders("a")))
				time.Sleep(2 * time.Second) // the contexts end meanwhile
				return m
			},
		} {
			t.Run(tt.name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := tt.end(t.Context())
					defer cancel()
					err := mesh(t).Do(ctx, get(), never(t))
					e, ok := errors.AsType[*transport.Error](err)
					if !ok || !errors.Is(err, tt.own) || !errors.Is(err, why) || e.Timeout() != tt.timeout {
						t.Errorf("got %v", err)
					}
				})
			})
		}
	}
}
