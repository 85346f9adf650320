package breaker

import (
	"sync"
	"time"
)

// Change is one change of state.
type Change struct {
	Name     string // of the breaker
	From, To State
	Reason   Reason // where it opened
	Time     time.Time
	Counts   Counts // of the state that ended
}

const (
	mostWaiting = 64
	mostPanics  = 3 // within panicTime
	panicTime   = time.Minute
)

// changes hands changes of state to a callback, outside of every lock. The
// goroutine that does so ends when there is nothing left.
type changes struct {
	tell func(Change) // nil: nobody wants to know

	mu         sync.Mutex // guards what follows; taken inside gobreaker's
	waiting    []Change
	telling    bool // the goroutine is there
	unreported int64
	panics     int64
	recent     [mostPanics]time.Time // the last panics, the oldest first
	disabled   bool
}

func (c *changes) note(change Change) {
	if c.tell == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.disabled || len(c.waiting) == mostWaiting {
		c.unreported++
		return
	}
	c.waiting = append(c.waiting, change)
	if !c.telling {
		c.telling = true
		go c.drain()
	}
}

// drain reports what waits. If the callback panics, or ends the goroutine, another
// goes on.
func (c *changes) drain() {
	finished := false
	defer func() {
		if !finished {
			_ = recover()
			c.panicked(time.Now())
			go c.drain()
		}
	}()
	for {
		change, ok := c.next()
		if !ok {
			finished = true
			return
		}
		c.tell(change)
	}
}

func (c *changes) next() (Change, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.waiting, c.telling = nil, false
		return Change{}, false
	}
	change := c.waiting[0]
	c.waiting = c.waiting[1:]
	return change, true
}

func (c *changes) panicked(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.panics++
	copy(c.recent[:], c.recent[1:])
	c.recent[mostPanics-1] = now
	if oldest := c.recent[0]; !oldest.IsZero() && now.Sub(oldest) < panicTime {
		c.disabled = true
		c.unreported += int64(len(c.waiting))
		c.waiting = nil
	}
}

func (c *changes) totals() (unreported, panics int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unreported, c.panics
}
