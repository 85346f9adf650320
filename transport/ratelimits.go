package transport

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// subject is a call as limits see it, at a client or at a server.
type subject struct {
	method   methodKey
	key      string // that code gave
	priority ratelimit.Priority
	request  rule.Request
}

// refusals counts what a limit refused, by priority.
type refusals [ratelimit.NumberOfPriorities]atomic.Int64

func (r *refusals) sum() (n int64) {
	for i := range r {
		n += r[i].Load()
	}
	return n
}

// rateLimit is a limit of rate: one bucket, or one for each of what it is per.
type rateLimit struct {
	is      rule.LimitTable
	one     *ratelimit.Bucket // of the service, and of methods for which there is no room
	classes [ratelimit.NumberOfPriorities]*ratelimit.Bucket
	methods *perKey[methodKey, ratelimit.Bucket]
	keys    *ratelimit.Buckets
	refused *refusals
}

// newRateLimit returns what the rules ask for, in the place of one of that name.
func newRateLimit(is rule.LimitTable, before *rateLimit, shared *ratelimit.Bucket) *rateLimit {
	if before != nil && before.is.Keeps(&is.Counting) && (before.one == shared || shared == nil && !before.is.Shared) {
		l := *before
		if l.is = is; before.is.Config != is.Config {
			l.set(is.Config)
		}
		return &l
	}
	l := &rateLimit{is: is, one: shared, methods: new(perKey[methodKey, ratelimit.Bucket]), refused: new(refusals)}
	if l.one == nil {
		l.one = newBucket(is.Config)
	}
	switch is.Per {
	case rule.PerClass:
		for i := range l.classes {
			l.classes[i] = newBucket(is.Config)
		}
	case rule.PerCaller, rule.PerKey, rule.PerHeader:
		l.keys, _ = ratelimit.NewBuckets(is.Config) // validated
	}
	return l
}

func newBucket(c ratelimit.RateConfig) *ratelimit.Bucket {
	b, _ := ratelimit.NewBucket(c) // validated
	return b
}

// set changes the bounds; tokens stay.
func (l *rateLimit) set(c ratelimit.RateConfig) {
	if !l.is.Shared {
		_ = l.one.Set(c) // validated, as all that follows
	}
	for _, b := range l.classes {
		if b != nil {
			_ = b.Set(c)
		}
	}
	for _, b := range l.methods.all() {
		_ = b.Set(c)
	}
	if l.keys != nil {
		_ = l.keys.Set(c)
	}
}

// bucket returns the one that a call takes from.
func (l *rateLimit) bucket(now time.Duration, s *subject) *ratelimit.Bucket {
	switch l.is.Per {
	case rule.PerMethod:
		if b := l.methods.of(s.method); b != nil {
			return b
		}
		if b := l.methods.add(s.method, func() *ratelimit.Bucket { return newBucket(l.is.Config) }); b != nil {
			return b
		}
		return l.one
	case rule.PerClass:
		return l.classes[s.priority.Index()]
	case rule.PerCaller:
		return l.keys.Of(now, s.request.Caller())
	case rule.PerKey:
		return l.keys.Of(now, s.key)
	case rule.PerHeader:
		value, _ := s.request.Header(l.is.Header)
		return l.keys.Of(now, value)
	default:
		return l.one
	}
}

// pass lets a call through or refuses it, be it after a wait.
func (l *rateLimit) pass(ctx context.Context, now time.Duration, s *subject) error {
	b := l.bucket(now, s)
	if b.Allow(now, s.priority) {
		return nil
	}
	if l.is.Wait > 0 {
		err := b.Wait(ctx, s.priority, l.is.Wait)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	l.refused[s.priority.Index()].Add(1)
	return &Refusal{Limit: l.is.Name, Priority: s.priority, RetryAfter: b.RetryAfter(now), Err: ratelimit.ErrRate}
}
