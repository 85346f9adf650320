package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// timeline puts the times that callers give and those that the clock shows on one
// line, so that [Bucket.Allow] and [Bucket.Wait] may be used on one bucket. Callers
// count from any moment; which one that is shows when they first give a time. The
// moments of a timeline are counted from its base.
type timeline struct {
	base   time.Time
	offset atomic.Int64 // of the callers' times; unlearned before the first
}

const unlearned = math.MinInt64

func newTimeline() *timeline {
	l := &timeline{base: time.Now()}
	l.offset.Store(unlearned)
	return l
}

// moment is where a time that a caller gave lies.
func (l *timeline) moment(now time.Duration) time.Duration {
	offset := l.offset.Load()
	if offset == unlearned {
		offset = l.learn(now)
	}
	return now + time.Duration(offset)
}

func (l *timeline) learn(now time.Duration) int64 {
	l.offset.CompareAndSwap(unlearned, int64(l.clock()-now))
	return l.offset.Load()
}

// clock is the moment that the clock shows.
func (l *timeline) clock() time.Duration { return time.Since(l.base) }

// time is a moment as x/time wants it.
func (l *timeline) time(moment time.Duration) time.Time { return l.base.Add(moment) }
