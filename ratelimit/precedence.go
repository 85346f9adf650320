package ratelimit

import (
	"sync/atomic"
	"time"
)

// Precedence is how much of a limit calls of a priority may fill, so that there is
// always some left for the more important: sheddable calls leave half, default
// calls a third, as long as there were calls of a higher priority within the last
// 10 s. Whoever uses no priorities has all. The zero value has seen none. It is safe
// for concurrent use.
type Precedence struct {
	seen [NumberOfPriorities]atomic.Int64 // since began, when last; 0: never
	bulk atomic.Bool                      // there was a sheddable call: others are to be noted
}

// began is when time is counted from.
var began = time.Now()

// Note remembers a call. For a default call where no other priority was ever seen
// that is one load.
func (s *Precedence) Note(p Priority) {
	switch {
	case p == Default && !s.bulk.Load():
		return
	case p < Default && !s.bulk.Load():
		s.bulk.Store(true)
	}
	now, seen := int64(time.Since(began))+1, &s.seen[p.Index()]
	if last := seen.Load(); last == 0 || now-last > int64(fresh) {
		seen.Store(now)
	}
}

// Room returns how much of a limit calls of priority p may fill. A limit of one
// cannot be divided.
func (s *Precedence) Room(limit int, p Priority) int {
	switch {
	case p >= Critical || limit < 2:
		return limit
	case s.lately(Critical), p < Default && s.lately(Default):
		return max(1, limit-part(limit, p))
	}
	return limit
}

// part is what calls of a priority leave of a limit.
func part(limit int, p Priority) int {
	if p < Default {
		return (limit + 1) / 2
	}
	return (limit + 2) / 3
}

func (s *Precedence) lately(p Priority) bool {
	last := s.seen[p.Index()].Load()
	return last != 0 && int64(time.Since(began))-last < int64(lately)
}
