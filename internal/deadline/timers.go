package deadline

import (
	"sync"
	"sync/atomic"
	"time"
)

// Timers are kept for later contexts. The zero value is ready. To set one again that
// was stopped costs a fraction of making and removing one. They are safe for
// concurrent use.
type Timers struct{ idle sync.Pool }

// timer is that of one context at a time.
type timer struct {
	of   *Timers
	is   *time.Timer
	ends atomic.Pointer[Context]
}

func (t *Timers) start(c *Context) *timer {
	if idle, ok := t.idle.Get().(*timer); ok {
		idle.ends.Store(c)
		idle.is.Reset(c.after)
		return idle
	}
	fresh := &timer{of: t}
	fresh.ends.Store(c)
	// It may fire before it is known here, but calls back no earlier than that.
	fresh.is = time.AfterFunc(c.after, fresh.fire)
	return fresh
}

func (t *timer) fire() { t.ends.Load().expire() }

// again lets a timer that has fired do so once more.
func (t *timer) again(after time.Duration) { t.is.Reset(after) }

// stop gives it back, and reports whether it had not fired. If it has, whoever it calls
// may come late, and must find the context it was for.
func (t *timer) stop() bool {
	if !t.is.Stop() {
		return false
	}
	t.ends.Store(nil)
	t.of.idle.Put(t)
	return true
}
