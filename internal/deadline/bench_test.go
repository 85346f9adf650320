package deadline_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/deadline"
)

// BenchmarkCall is a call with a deadline, whose transport derives a context from it
// and waits for that, as those of HTTP and gRPC do.
func BenchmarkCall(b *testing.B) {
	why := errors.New("no more time")
	var timers deadline.Timers
	server := b.Context()
	for _, p := range []struct {
		name   string
		parent context.Context
	}{{"background", context.Background()}, {"cancellable", server}} {
		b.Run("parent="+p.name+"/std", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeoutCause(p.parent, time.Second, why)
				call(ctx)
				cancel()
			}
		})
		b.Run("parent="+p.name+"/deadline", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx := timers.After(p.parent, balancer.Now(), time.Second, why)
				call(ctx)
				ctx.Release()
			}
		})
	}
}

func call(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ctx.Deadline()
	ctx.Done()
	cancel()
}
