package transport

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// subject is a call as limits see it, at a client or at a server.
type subject struct {
	plan     *plan // of its route; nil at a server
	method   string
	key      string // that code gave
	priority ratelimit.Priority
	request  rule.Request
}

func (s *subject) methodKey() methodKey {
	k := methodKey{method: s.method}
	if s.plan != nil {
		k.routeKey = s.plan.of
	}
	return k
}

// refusals counts what a limit refused, by priority.
type refusals [ratelimit.NumberOfPriorities]atomic.Int64

// rateLimit is a limit of rate as one document has it.
type rateLimit struct {
	is rule.LimitTable
	*rated
}

// rated is what a limit of rate counts with. It outlives documents.
type rated struct {
	buckets scoped[ratelimit.Bucket, ratelimit.RateConfig]
	shared  *ratelimit.Bucket  // the part of this process in a limit of the fleet; nil: there is none
	keys    *ratelimit.Buckets // nil: calls do not say themselves who shares a bucket
	refused refusals
}

// newRateLimit returns what the rules ask for, in the place of one of that name.
// Shared is the part of this process, where the fleet shares the limit.
func newRateLimit(is rule.LimitTable, before *rateLimit, shared *ratelimit.Bucket) *rateLimit {
	if before != nil && before.is.Keeps(&is.Counting) && before.shared == shared {
		if before.is.Config != is.Config {
			before.set(is.Config)
		}
		return &rateLimit{is, before.rated}
	}
	r := &rated{shared: shared}
	switch is.Per {
	case rule.PerCaller, rule.PerKey, rule.PerHeader:
		r.keys, _ = ratelimit.NewBuckets(is.Config) // validated
	default:
		r.buckets.begin(is.Per, is.Config, newBucket)
	}
	return &rateLimit{is, r}
}

func newBucket(c ratelimit.RateConfig) *ratelimit.Bucket {
	b, _ := ratelimit.NewBucket(c) // validated
	return b
}

// set changes the bounds; tokens stay. Those of the part in a fleet's limit are set by
// whoever shares that out.
func (r *rated) set(c ratelimit.RateConfig) {
	if r.keys != nil {
		_ = r.keys.Set(c) // validated
		return
	}
	r.buckets.set(c, (*ratelimit.Bucket).Set)
}

// bucket returns the one that a call takes from.
func (l *rateLimit) bucket(now time.Duration, s *subject) *ratelimit.Bucket {
	switch l.is.Per {
	case rule.PerCaller:
		return l.keys.Of(now, s.request.Caller())
	case rule.PerKey:
		return l.keys.Of(now, s.key)
	case rule.PerHeader:
		value, _ := s.request.Header(l.is.Header)
		return l.keys.Of(now, value)
	}
	if l.shared != nil {
		return l.shared
	}
	return l.buckets.of(l.is.Per, s)
}

// pass lets a call through or refuses it, be it after a wait. What is no [Refusal] is
// the end of the call's time.
func (l *rateLimit) pass(ctx context.Context, now time.Duration, s *subject) error {
	b := l.bucket(now, s)
	if l.is.Wait == 0 {
		if b.Allow(now, s.priority) {
			return nil
		}
	} else {
		err := b.Wait(ctx, s.priority, l.is.Wait)
		if !errors.Is(err, ratelimit.ErrRate) {
			return err
		}
		now = balancer.Now()
	}
	l.refused[s.priority.Index()].Add(1)
	return &Refusal{Limit: l.is.Name, Priority: s.priority, RetryAfter: b.RetryAfter(now), Err: ratelimit.ErrRate}
}
