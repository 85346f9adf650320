package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// shard is a part of the keys of [Buckets].
type shard struct {
	mu   sync.Mutex // guards what follows
	keys map[uint64]*entry
	ends entry // of a ring from the newest to the oldest
	_    [64]byte
}

// entry is a key and its bucket.
type entry struct {
	Bucket
	hash         uint64
	used         time.Duration // the moment at which it was asked for last
	newer, older *entry
}

const (
	// handed is how long after it was asked for a full bucket is not idle: whoever
	// asked is about to take a token from it.
	handed = time.Millisecond
	// looks is how many keys are looked at for one that is idle.
	looks = 8
)

func (s *shard) begin() {
	s.keys = map[uint64]*entry{}
	s.ends.newer, s.ends.older = &s.ends, &s.ends
}

func (s *shard) find(hash uint64, moment time.Duration) *Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[hash]
	if e == nil {
		return nil
	}
	s.useLocked(e, moment)
	return &e.Bucket
}

// add makes an entry, unless another caller was faster.
func (s *shard) add(hash uint64, moment time.Duration, line *timeline, config *atomic.Pointer[RateConfig]) (_ *Bucket, added bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.keys[hash]
	if e == nil {
		e, added = &entry{hash: hash}, true
		e.begin(*config.Load(), line)
		e.newer, e.older = e, e
		s.keys[hash] = e
	}
	s.useLocked(e, moment)
	return &e.Bucket, added
}

func (s *shard) useLocked(e *entry, moment time.Duration) {
	e.used = moment
	if s.ends.older != e {
		s.toNewestLocked(e)
	}
}

func (s *shard) toNewestLocked(e *entry) {
	e.unlink()
	e.newer, e.older = &s.ends, s.ends.older
	e.newer.older, e.older.newer = e, e
}

func (e *entry) unlink() { e.newer.older, e.older.newer = e.older, e.newer }

func (s *shard) oldestIdle(moment time.Duration) (used time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.oldestIdleLocked(moment); e != nil {
		return e.used, true
	}
	return 0, false
}

func (s *shard) evict(moment time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.oldestIdleLocked(moment)
	if e == nil {
		return false
	}
	e.unlink()
	delete(s.keys, e.hash)
	return true
}

// oldestIdleLocked looks at the oldest keys. If none of them is idle, they get a
// second chance, and the next look is at others: whoever took all of their tokens
// and then fell silent shall not protect those behind them.
func (s *shard) oldestIdleLocked(moment time.Duration) *entry {
	e := s.ends.newer
	for range looks {
		if e == &s.ends {
			return nil // these were all
		}
		if e.idle(moment) {
			return e
		}
		e = e.newer
	}
	for range looks {
		s.toNewestLocked(s.ends.newer)
	}
	return nil
}

func (e *entry) idle(moment time.Duration) bool {
	return moment >= e.used+handed && e.limiter.TokensAt(e.line.time(moment)) >= float64(e.burst.Load())
}

func (s *shard) set(c RateConfig) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.keys {
		e.set(e.latest(), c.Rate, c.burst())
	}
}
