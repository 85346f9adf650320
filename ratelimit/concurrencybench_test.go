package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// BenchmarkInFlight is a call that finds a place, and its end, beside the semaphore
// that a channel is.
func BenchmarkInFlight(b *testing.B) {
	ctx := context.Background()
	for name, c := range map[string]ratelimit.ConcurrencyConfig{
		"fixed":   {Max: 1000},
		"waiting": {Max: 1000, MaxWait: time.Second},
		"learned": {Adaptive: &ratelimit.AdaptiveConfig{Initial: 1000}},
	} {
		b.Run(name, func(b *testing.B) {
			l := newConcurrency(b, c)
			cputime.Start(b)
			b.RunParallel(func(pb *testing.PB) {
				for now := time.Duration(0); pb.Next(); now += time.Microsecond {
					if l.Acquire(ctx, ratelimit.Default) == nil {
						l.Done(ratelimit.Default, now, time.Millisecond, false)
					}
				}
			})
		})
	}
	b.Run("channel", func(b *testing.B) {
		places := make(chan struct{}, 1000)
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				select {
				case places <- struct{}{}:
					<-places
				default:
				}
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		l := newConcurrency(b, ratelimit.ConcurrencyConfig{Max: 1})
		l.TryAcquire(ratelimit.Default)
		b.ReportAllocs()
		for b.Loop() {
			l.TryAcquire(ratelimit.Default)
		}
	})
}

// BenchmarkThrottle is a call that is let through, or is not, and its end.
func BenchmarkThrottle(b *testing.B) {
	for name, accepted := range map[string]bool{"all are accepted": true, "none is": false} {
		b.Run(name, func(b *testing.B) {
			t, err := ratelimit.NewThrottle(ratelimit.ThrottleConfig{})
			if err != nil {
				b.Fatal(err)
			}
			cputime.Start(b)
			b.RunParallel(func(pb *testing.PB) {
				random := uint64(1)
				for now := time.Duration(0); pb.Next(); now += time.Microsecond {
					random = random*6364136223846793005 + 1442695040888963407
					if t.Allow(now, ratelimit.Default, random) {
						t.Done(now, ratelimit.Default, accepted)
					}
				}
			})
		})
	}
}
