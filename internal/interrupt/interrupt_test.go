package interrupt_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/internal/interrupt"
)

func TestPause(t *testing.T) {
	tests := []struct {
		name  string
		wait  time.Duration
		ends  time.Duration // of the context
		whole bool
		took  time.Duration
	}{
		{"the time comes first", time.Second, time.Minute, true, time.Second},
		{"the context does", time.Minute, time.Second, false, time.Second},
		{"no time at all", 0, time.Minute, true, 0},
		{"less than none", -time.Second, time.Minute, true, 0},
		{"no time, and the context has ended", 0, 0, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.ends)
				defer cancel()
				begun := time.Now()
				if whole := interrupt.Pause(ctx, tt.wait); whole != tt.whole || time.Since(begun) != tt.took {
					t.Errorf("it came to its end: %t, after %s", whole, time.Since(begun))
				}
			})
		})
	}
}

func TestErr(t *testing.T) {
	why := errors.New("the user has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := interrupt.Err(ctx); err != nil {
		t.Errorf("before its end: %v", err)
	}
	cancel(why)
	if err := interrupt.Err(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("after it: %v", err)
	}
	plain, end := context.WithCancel(t.Context())
	end()
	if err := interrupt.Err(plain); err != context.Canceled {
		t.Errorf("without a cause: %v", err)
	}
}
