package etcd

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// newBackoff paces what is tried again for ever: the waits double from about
// first up to at most ceiling, each spread by a quarter to both sides, so that
// processes that lost the same etcd do not return as one.
func newBackoff(first, ceiling time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     first,
		Multiplier:          2,
		RandomizationFactor: 0.25,
		MaxInterval:         ceiling * 4 / 5,
	}
}

// between returns a random duration from least to most.
func between(least, most time.Duration) time.Duration {
	return least + rand.N(most-least+1)
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
