package transport

import (
	"cmp"
	"context"
	"time"
)

// lateness is how long after the time of a call was up a process notices that,
// before it has to look for the cause in itself (HashiCorp's Lifeguard, 2017,
// has the idea).
const lateness = 100 * time.Millisecond

// NoticedLate reports whether the time of ctx was up long ago. A door that ends
// an attempt with a timeout says so in [Outcome].Late: where a process is short
// of CPU, or was stopped, timeouts say nothing of the instances.
func NoticedLate(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Since(deadline) > lateness
}

// starving is how long a process counts as short of CPU after it noticed a
// timeout late: meanwhile some timeouts are noticed in time by chance, and they
// say no more than the others.
const starving = time.Second

// lately reports whether a timeout that is told of now says nothing of the
// instance, because it, or another a moment ago, was noticed late.
func (s *service) lately(now time.Duration, late bool) bool {
	if late {
		s.late.Store(int64(cmp.Or(now, 1)))
		return true
	}
	last := time.Duration(s.late.Load())
	return last != 0 && now-last < starving
}
