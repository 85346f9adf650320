package ratelimit_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead-go/fairlead/internal/cputime"
	"github.com/fairlead-go/fairlead/ratelimit"
)

// BenchmarkAllow is what a call pays for a limit, beside the limiter of x/time, which
// reads the clock itself. So do these, but for those to which a call gives the time
// that it has read for other purposes as well, as it does in a mesh.
func BenchmarkAllow(b *testing.B) {
	c := ratelimit.RateConfig{Rate: 1e9, Burst: 1e9}
	began := time.Now()
	loop := func(b *testing.B, allow func()) {
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				allow()
			}
		})
	}
	b.Run("rate.Limiter", func(b *testing.B) {
		limiter := rate.NewLimiter(rate.Limit(c.Rate), c.Burst)
		loop(b, func() { limiter.Allow() })
	})
	for _, tt := range []struct {
		name  string
		seen  bool // critical calls, to which others leave tokens
		given bool
		p     ratelimit.Priority
	}{
		{"bucket", false, false, ordinary},
		{"bucket/critical", false, false, critical},
		{"bucket/beside critical", true, false, ordinary},
		{"bucket/given", false, true, ordinary},
		{"bucket/critical given", false, true, critical},
		{"bucket/beside critical given", true, true, ordinary},
	} {
		b.Run(tt.name, func(b *testing.B) {
			bucket := newBucket(b, c.Rate, c.Burst)
			if tt.seen {
				bucket.Allow(time.Hour, critical)
			}
			now := time.Since(began)
			loop(b, func() {
				if !tt.given {
					now := time.Since(began)
					bucket.Allow(now, tt.p)
					return
				}
				bucket.Allow(now, tt.p)
			})
		})
	}
	b.Run("quota", func(b *testing.B) {
		bucket := newQuota(b, c).Bucket()
		loop(b, func() { bucket.Allow(time.Since(began), ordinary) })
	})
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = "tenant " + strconv.Itoa(i)
	}
	b.Run("buckets", func(b *testing.B) {
		buckets := newBuckets(b, c)
		var start atomic.Int64
		cputime.Start(b)
		b.RunParallel(func(pb *testing.PB) {
			for i := int(start.Add(500)); pb.Next(); i++ {
				now := time.Since(began)
				buckets.Of(now, keys[i%len(keys)]).Allow(now, ordinary)
			}
		})
	})
}

// BenchmarkBucketsNewcomer is what a key costs for which another has to go, and one for
// which none can.
func BenchmarkBucketsNewcomer(b *testing.B) {
	for _, tt := range []struct {
		name string
		takes,
		step time.Duration
	}{{"evicts", 0, 2 * time.Millisecond}, {"overflows", 1, time.Microsecond}} {
		b.Run(tt.name, func(b *testing.B) {
			buckets := newBuckets(b, ratelimit.RateConfig{Rate: 1e-6, Burst: 10, MaxKeys: 10_000})
			now := time.Duration(0)
			for i := range 10_000 {
				allowed(buckets.Of(now, strconv.Itoa(i)), now, ordinary, int(tt.takes))
			}
			i := 10_000
			b.ReportAllocs()
			for b.Loop() {
				now += tt.step
				i++
				buckets.Of(now, strconv.Itoa(i))
			}
		})
	}
}
