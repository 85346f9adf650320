package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Bucket is a token bucket: a call takes a token, tokens come at a rate, and unused
// ones are kept up to a burst. It begins full. The arithmetic is that of
// golang.org/x/time/rate.
//
// Less important calls leave tokens to more important ones: sheddable calls half of
// the burst to the others, and default calls a fifth to critical ones, rounded up,
// but never so much that a full bucket would refuse them. They do so only while
// calls of a higher priority were seen within the last 10 s, allowed or not; whoever
// uses one priority only has all of the rate and the burst. A burst of 1 cannot be
// divided: the first to come takes it.
//
// The times given to one bucket are counted from any moment, the same for all calls,
// and each is read shortly before the call. Wait and Set read the clock themselves.
// A Bucket is safe for concurrent use.
type Bucket struct {
	limiter *rate.Limiter
	line    *timeline
	asked   *atomic.Int64 // calls that asked; nil unless a quota wants to know
	burst   atomic.Int64
	seen    [NumberOfPriorities]atomic.Int64 // moments; written when older than a second
	queues  [NumberOfPriorities]queue        // of calls that wait behind others
	turns   sync.Mutex                       // of those: who took a token no longer waits for one, as others see it
}

const (
	lately = 10 * time.Second // how long calls that came are reckoned with
	fresh  = time.Second      // how exactly it is known when they came
)

// NewBucket returns a full bucket. The error names the bad field.
func NewBucket(c RateConfig) (*Bucket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b := &Bucket{}
	b.begin(c, newTimeline())
	return b, nil
}

func (b *Bucket) begin(c RateConfig, line *timeline) {
	b.limiter, b.line = rate.NewLimiter(rate.Limit(c.Rate), c.burst()), line
	b.burst.Store(int64(c.burst()))
	for i := range b.seen {
		b.seen[i].Store(math.MinInt64)
	}
}

// Allow takes a token for a call of priority p, if there is one for it.
func (b *Bucket) Allow(now time.Duration, p Priority) bool {
	if b.asked != nil {
		b.asked.Add(1)
	}
	moment := b.line.moment(now)
	b.see(moment, p)
	return b.take(moment, p)
}

func (b *Bucket) take(moment time.Duration, p Priority) bool {
	t := b.line.time(moment)
	// Another call may come between the two. Then there is a token less to be left
	// for each of those that do, which is no worse than if they had come before.
	if left := b.left(moment, p); left > 0 && b.limiter.TokensAt(t) < 1+left {
		return false
	}
	return b.limiter.AllowN(t, 1)
}

// see remembers that there are calls of priority p.
func (b *Bucket) see(moment time.Duration, p Priority) {
	if seen := &b.seen[p.Index()]; int64(moment) >= seen.Load()+int64(fresh) {
		seen.Store(int64(moment))
	}
}

// left is how many tokens a call of priority p leaves to those above.
func (b *Bucket) left(moment time.Duration, p Priority) float64 {
	if p >= Critical {
		return 0
	}
	recent := func(p Priority) bool { return int64(moment) < b.seen[p.Index()].Load()+int64(lately) }
	switch burst := b.burst.Load(); {
	case p < Default && (recent(Default) || recent(Critical)):
		return float64(min((burst+1)/2, burst-1))
	case p == Default && recent(Critical):
		return float64(min((burst+4)/5, burst-1))
	}
	return 0
}

// RetryAfter is how long it takes until a call of default priority is allowed, if
// no other comes before; 0: it is now.
func (b *Bucket) RetryAfter(now time.Duration) time.Duration {
	moment := b.line.moment(now)
	return b.until(moment, 1+b.left(moment, Default))
}

// until is how long it takes until there are so many tokens.
func (b *Bucket) until(moment time.Duration, tokens float64) time.Duration {
	missing := tokens - b.limiter.TokensAt(b.line.time(moment))
	switch ns := missing / float64(b.limiter.Limit()) * float64(time.Second); {
	case ns < 1: // is nothing to x/time
		return 0
	case ns < math.MaxInt64:
		return time.Duration(math.Ceil(ns))
	default:
		return math.MaxInt64
	}
}

// Set changes the rate and the burst. The tokens stay, as far as the burst has room
// for them, and so do the turns of calls that wait. The error names the bad field;
// then nothing changes.
func (b *Bucket) Set(c RateConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b.set(b.latest(), c.Rate, c.burst())
	return nil
}

func (b *Bucket) set(moment time.Duration, perSecond float64, burst int) {
	t := b.line.time(moment)
	b.burst.Store(int64(burst))
	b.limiter.SetLimitAt(t, rate.Limit(perSecond))
	b.limiter.SetBurstAt(t, burst)
}

// latest is the moment that the clock shows, or, where callers' times run ahead of
// the clock, as they do in simulations, the latest that was noted.
func (b *Bucket) latest() time.Duration {
	moment := b.line.clock()
	for i := range b.seen {
		moment = max(moment, time.Duration(b.seen[i].Load()))
	}
	return moment
}
