package ratelimit

import (
	"container/list"
	"context"
)

// waiters are the calls of one priority that wait, in the order they came.
type waiters struct{ list.List }

// waiter is a call that waits for a place.
type waiter struct {
	priority Priority
	place    *list.Element // in its queue; nil: it is out of it
	granted  bool          // it has a place
	ended    chan struct{} // closed once it is out
}

// enqueue has a call wait, unless a place is free after all, or returns nil if
// there is no room to.
func (l *Concurrency) enqueue(p Priority) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &waiter{priority: p, ended: make(chan struct{})}
	waiting := l.waiting.Add(1)
	if waiting == 1 && l.take(l.Limit()) {
		l.waiting.Add(-1)
		w.granted = true
		close(w.ended)
		return w
	}
	if waiting > int64(l.Limit()) && !l.displaceLocked(p) {
		l.waiting.Add(-1)
		return nil
	}
	w.place = l.queue[p.Index()].PushBack(w)
	l.wakeLocked() // a place may have become free meanwhile
	return w
}

// displaceLocked refuses the last of those that wait with a lower priority than p,
// and reports whether there was one.
func (l *Concurrency) displaceLocked(p Priority) bool {
	for i := range p.Index() {
		if last := l.queue[i].Back(); last != nil {
			l.outLocked(last.Value.(*waiter))
			return true
		}
	}
	return false
}

// outLocked takes a call out of its queue.
func (l *Concurrency) outLocked(w *waiter) {
	l.queue[w.priority.Index()].Remove(w.place)
	w.place = nil
	l.waiting.Add(-1)
	close(w.ended)
}

// wakeLocked gives free places to those that wait, the most important first.
func (l *Concurrency) wakeLocked() {
	for l.waiting.Load() > 0 {
		first := l.firstLocked()
		if first == nil || !l.take(l.Limit()) {
			return
		}
		first.granted = true
		l.outLocked(first)
	}
}

func (l *Concurrency) firstLocked() *waiter {
	for i := NumberOfPriorities - 1; i >= 0; i-- {
		if first := l.queue[i].Front(); first != nil {
			return first.Value.(*waiter)
		}
	}
	return nil
}

// leave ends the wait of a call. One that has a place and no use for it any more
// gives it back.
func (l *Concurrency) leave(ctx context.Context, w *waiter) error {
	l.mu.Lock()
	if w.place != nil {
		l.outLocked(w)
	}
	granted := w.granted
	l.mu.Unlock()
	err := ctx.Err()
	switch {
	case granted && err == nil:
		return nil
	case granted:
		l.Release(w.priority)
		return err
	case err != nil:
		return err
	default:
		return ErrConcurrency
	}
}
