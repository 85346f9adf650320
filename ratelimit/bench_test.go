package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead-go/fairlead/ratelimit"
)

var began = time.Now()

func BenchmarkAllow(b *testing.B) {
	const perSecond, burst = 1e8, 1_000_000
	bucket, _ := ratelimit.NewBucket(ratelimit.RateConfig{Rate: perSecond, Burst: burst})
	b.Run("rate.Limiter", func(b *testing.B) {
		l := rate.NewLimiter(perSecond, burst)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Allow()
			}
		})
	})
	for _, p := range []ratelimit.Priority{ratelimit.Default, ratelimit.Critical, ratelimit.Default, ratelimit.Sheddable} {
		b.Run("bucket/"+p.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					bucket.Allow(time.Since(began), p)
				}
			})
		})
		b.Run("bucket-given/"+p.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				now := time.Since(began)
				for pb.Next() {
					now += 10
					bucket.Allow(now, p)
				}
			})
		})
	}
	b.Run("buckets", func(b *testing.B) {
		bs, _ := ratelimit.NewBuckets(ratelimit.RateConfig{Rate: perSecond, Burst: burst})
		keys := make([]string, 1024)
		for i := range keys {
			keys[i] = fmt.Sprintf("tenant-%d", i)
		}
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			i := 0
			for pb.Next() {
				now := time.Since(began)
				i++
				bs.Of(now, keys[i%1024]).Allow(now, 0)
			}
		})
	})
}
