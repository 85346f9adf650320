package ratelimit

import (
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"
)

const (
	shards    = 16
	lookAgain = time.Millisecond
)

// Buckets are one [Bucket] per key, at most MaxKeys of them. For a key that comes
// beyond those, the bucket is forgotten that was not asked for longest and is full
// again, so that nothing is lost by it: who comes under ever new keys can neither
// reset the limits of others nor fill the memory. Where none is full, the new key
// shares one more bucket with all others that find no place.
//
// A key is known by 64 bits of a hash that is seeded at random, so its length costs
// no memory. That any two of a million keys share a bucket for that has a
// probability of 3 in 100 million.
//
// Buckets are safe for concurrent use. A key that is there costs no allocation, and
// the lock of one in 16 shards.
type Buckets struct {
	seed      maphash.Seed
	line      *timeline
	config    atomic.Pointer[RateConfig]
	places    atomic.Int64 // that are taken
	evicted   atomic.Int64
	overflows atomic.Int64
	full      atomic.Int64 // the moment at which nobody was idle
	overflow  *Bucket
	shards    [shards]shard
}

// NewBuckets returns buckets without any key. The error names the bad field.
func NewBuckets(c RateConfig) (*Buckets, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b := &Buckets{seed: maphash.MakeSeed(), line: newTimeline(), overflow: &Bucket{}}
	b.overflow.begin(c, b.line)
	b.config.Store(&c)
	b.full.Store(math.MinInt64)
	for i := range b.shards {
		b.shards[i].begin()
	}
	return b, nil
}

// Of returns the bucket of a key at now: its own, or the one that is shared. It is
// to be asked at once and not to be kept, since it may be forgotten when it is full.
func (b *Buckets) Of(now time.Duration, key string) *Bucket {
	moment, hash := b.line.moment(now), maphash.String(b.seed, key)
	s := &b.shards[hash%shards]
	if found := s.find(hash, moment); found != nil {
		return found
	}
	if !b.place(moment) {
		b.overflows.Add(1)
		return b.overflow
	}
	bucket, added := s.add(hash, moment, b.line, &b.config)
	if !added {
		b.places.Add(-1)
	}
	return bucket
}

// place takes a place for one more key, for which another may have to go. If nobody
// is idle, nobody looks again for a moment: new keys must not cost much.
func (b *Buckets) place(moment time.Duration) bool {
	for evictions := 0; ; {
		switch taken := b.places.Load(); {
		case taken < int64(b.config.Load().maxKeys()):
			if b.places.CompareAndSwap(taken, taken+1) {
				return true
			}
		case evictions == 2, moment < time.Duration(b.full.Load())+lookAgain:
			return false // two go if MaxKeys fell, or if another took the place
		case !b.evict(moment):
			b.full.Store(int64(moment))
			return false
		default:
			evictions++
		}
	}
}

// evict forgets the oldest idle key of all.
func (b *Buckets) evict(moment time.Duration) bool {
	var of *shard
	oldest := moment
	for i := range b.shards {
		if used, ok := b.shards[i].oldestIdle(moment); ok && (of == nil || used < oldest) {
			of, oldest = &b.shards[i], used
		}
	}
	if of == nil || !of.evict(moment) {
		return false
	}
	b.places.Add(-1)
	b.evicted.Add(1)
	return true
}

// Set changes the rate and the burst of all keys, whose tokens stay, and MaxKeys. Of
// keys that are too many then, those go that are idle, and others when they are. The
// error names the bad field; then nothing changes.
func (b *Buckets) Set(c RateConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b.config.Store(&c)
	b.overflow.set(b.overflow.latest(), c.Rate, c.burst())
	for i := range b.shards {
		b.shards[i].set(c)
	}
	for b.places.Load() > int64(c.maxKeys()) && b.evict(b.line.clock()) {
	}
	return nil
}

// Len is how many keys have a bucket of their own.
func (b *Buckets) Len() int { return int(b.places.Load()) }

// Evicted is how many keys were forgotten for others.
func (b *Buckets) Evicted() int64 { return b.evicted.Load() }

// Overflows is how often Of returned the shared bucket.
func (b *Buckets) Overflows() int64 { return b.overflows.Load() }
