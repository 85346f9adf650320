package breaker

import (
	"sync"
	"time"
)

// Counts are the calls that ended within the window, since the last change of
// state: calls count when they end, not when they begin.
type Counts struct {
	Requests int // that ended in success or failure
	Failures int
	Slow     int // whatever they ended in
	// ConsecutiveFailures is how many of the last ones failed in a row. It is not
	// bound to the window.
	ConsecutiveFailures int
}

const parts = 10

// window counts calls over its ten parts: the one that fills, and the nine before.
// gobreaker has such a window too, with three differences that matter: it knows no
// slow calls, it forgets how many failed in a row when their part leaves, and it
// files a call under the part in which it began, so that one that takes longer
// than the window, which is the worst there is, never counts.
type window struct {
	part time.Duration // how long one is
	slow time.Duration // SlowCallDuration

	mu     sync.Mutex // guards what follows; taken inside gobreaker's
	newest int
	ends   time.Duration
	sum    Counts
	parts  [parts]struct{ requests, failures, slow int32 }
}

// add counts one that ended at now, and returns what the window then holds.
func (w *window) add(now time.Duration, failed, slow bool) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rollLocked(now)
	p := &w.parts[w.newest]
	p.requests++
	w.sum.Requests++
	if failed {
		p.failures++
		w.sum.Failures++
		w.sum.ConsecutiveFailures++
	} else {
		w.sum.ConsecutiveFailures = 0
	}
	if slow {
		p.slow++
		w.sum.Slow++
	}
	return w.sum
}

// read returns what the window holds at now.
func (w *window) read(now time.Duration) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rollLocked(now)
	return w.sum
}

// clear forgets all, and returns what it was.
func (w *window) clear() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.sum
	clear(w.parts[:])
	w.sum = Counts{}
	return was
}

func (w *window) rollLocked(now time.Duration) {
	if now < w.ends {
		return
	}
	passed := (now-w.ends)/w.part + 1
	w.ends += passed * w.part
	for range min(passed, parts) {
		w.newest = (w.newest + 1) % parts
		p := &w.parts[w.newest]
		w.sum.Requests -= int(p.requests)
		w.sum.Failures -= int(p.failures)
		w.sum.Slow -= int(p.slow)
		*p = struct{ requests, failures, slow int32 }{}
	}
}
