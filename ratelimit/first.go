package ratelimit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bucket is a token bucket.
type Bucket struct{ limiter *rate.Limiter }

// NewBucket returns a full bucket.
func NewBucket(c RateConfig) (*Bucket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Bucket{rate.NewLimiter(rate.Limit(c.Rate), c.burst())}, nil
}

func at(now time.Duration) time.Time { return time.Unix(1, 0).Add(now) }

// Allow takes a token if there is one.
func (b *Bucket) Allow(now time.Duration, _ Priority) bool { return b.limiter.AllowN(at(now), 1) }

// Wait waits for a token.
func (b *Bucket) Wait(ctx context.Context, _ Priority, most time.Duration) error {
	r := b.limiter.ReserveN(at(0), 1)
	if r.Delay() > most {
		r.Cancel()
		return ErrRate
	}
	select {
	case <-time.After(r.Delay()):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RetryAfter is when there will be a token.
func (b *Bucket) RetryAfter(now time.Duration) time.Duration {
	return time.Duration(max(0, 1-b.limiter.TokensAt(at(now))) / float64(b.limiter.Limit()) * float64(time.Second))
}

// Set changes the bounds.
func (b *Bucket) Set(c RateConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b.limiter.SetLimit(rate.Limit(c.Rate))
	b.limiter.SetBurst(c.burst())
	return nil
}

// Buckets are one per key.
type Buckets struct {
	mu     sync.Mutex
	config RateConfig
	known  map[string]*Bucket
}

// NewBuckets returns none yet.
func NewBuckets(c RateConfig) (*Buckets, error) {
	return &Buckets{config: c, known: map[string]*Bucket{}}, c.Validate()
}

// Of returns that of a key.
func (b *Buckets) Of(_ time.Duration, key string) *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[key] == nil {
		b.known[key], _ = NewBucket(b.config)
	}
	return b.known[key]
}

// Set changes all.
func (b *Buckets) Set(c RateConfig) error {
	for _, one := range b.known {
		_ = one.Set(c)
	}
	b.config = c
	return c.Validate()
}
