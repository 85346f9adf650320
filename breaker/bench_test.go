package breaker_test

import (
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/internal/cputime"
)

// BenchmarkAllow is to be read beside BenchmarkGobreakerTwoStep, which counts over
// the same rolling window: ours adds modes, slow calls and leases.
func BenchmarkAllow(b *testing.B) {
	for _, bb := range []struct {
		name   string
		config breaker.Config
		mode   breaker.Mode
	}{
		{"closed", breaker.Config{}, breaker.Automatic},
		{"closed, slow calls", breaker.Config{SlowCallDuration: time.Second}, breaker.Automatic},
		{"observe only", breaker.Config{}, breaker.ObserveOnly},
		{"disabled", breaker.Config{}, breaker.Disabled},
		{"forced open", breaker.Config{}, breaker.ForcedOpen},
	} {
		b.Run(bb.name, func(b *testing.B) {
			br := newBreaker(b, bb.config)
			br.SetMode(bb.mode)
			cputime.Start(b)
			for b.Loop() {
				ticket, err := br.Allow()
				if err == nil {
					ticket.Done(breaker.Success)
				}
			}
		})
	}
	b.Run("open", func(b *testing.B) {
		br := newBreaker(b, breaker.Config{ConsecutiveFailures: 1, OpenFor: time.Hour})
		end(b, br, breaker.Failure)
		cputime.Start(b)
		for b.Loop() {
			if _, err := br.Allow(); err == nil {
				b.Fatal("let through")
			}
		}
	})
	b.Run("closed, parallel", func(b *testing.B) {
		br := newBreaker(b, breaker.Config{})
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ticket, _ := br.Allow()
				ticket.Done(breaker.Success)
			}
		})
	})
}

func BenchmarkGobreakerTwoStep(b *testing.B) {
	newPlain := func() *gobreaker.TwoStepCircuitBreaker[struct{}] {
		return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Interval: 10 * time.Second, BucketPeriod: time.Second,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.Requests >= 20 && float64(c.TotalFailures)/float64(c.Requests) >= 0.5
			},
		})
	}
	b.Run("closed", func(b *testing.B) {
		br := newPlain()
		cputime.Start(b)
		for b.Loop() {
			done, err := br.Allow()
			if err == nil {
				done(nil)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		br := newPlain()
		for range 20 {
			done, _ := br.Allow()
			done(errFailed)
		}
		cputime.Start(b)
		for b.Loop() {
			if _, err := br.Allow(); err == nil {
				b.Fatal("let through")
			}
		}
	})
	b.Run("closed, parallel", func(b *testing.B) {
		br := newPlain()
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				done, _ := br.Allow()
				done(nil)
			}
		})
	})
}

func BenchmarkCounts(b *testing.B) {
	br := newBreaker(b, breaker.Config{})
	for b.Loop() {
		_ = br.Counts()
	}
}
