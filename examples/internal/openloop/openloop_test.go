package openloop_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/openloop"
)

// Calls keep their rate while none is answered, end by their timeout and not
// with the loop, and are waited for.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began, timedOut atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), 999*time.Millisecond)
		defer cancel()
		begin := time.Now()
		call := func(ctx context.Context, n int) {
			if at := time.Since(begin); at != time.Duration(n)*10*time.Millisecond {
				t.Errorf("call %d began after %v", n, at)
			}
			began.Add(1)
			<-ctx.Done()
			if ctx.Err() == context.DeadlineExceeded {
				timedOut.Add(1)
			}
		}
		openloop.Run(ctx, 100, 5*time.Second, call, call)
		if began.Load() != 200 || timedOut.Load() != 200 {
			t.Errorf("%d calls began, %d had their whole time, want 200", began.Load(), timedOut.Load())
		}
		if took := time.Since(begin); took != 990*time.Millisecond+5*time.Second {
			t.Errorf("the last answer was waited for until %v", took)
		}
	})
}
