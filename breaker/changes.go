package breaker

import (
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/internal/callback"
)

// Change is one change of state.
type Change struct {
	Name     string // of the breaker
	From, To State
	Reason   Reason // where it opened
	Time     time.Time
	Counts   Counts // of the state that ended
}

const mostWaiting = 64

// changes hands changes of state to a callback, outside of every lock. The
// goroutine that does so ends when there is nothing left.
type changes struct {
	tell     func(Change) // nil: nobody wants to know
	callback callback.Callback

	mu         sync.Mutex // guards what follows; taken inside gobreaker's
	waiting    []Change
	telling    bool // the goroutine is there
	unreported int64
}

func (c *changes) note(change Change) {
	if c.tell == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callback.Disabled() || len(c.waiting) == mostWaiting {
		c.unreported++
		return
	}
	c.waiting = append(c.waiting, change)
	if !c.telling {
		c.telling = true
		go c.drain()
	}
}

// drain reports what waits. If the callback ends the goroutine, another goes on.
func (c *changes) drain() {
	finished := false
	defer func() {
		if !finished {
			go c.drain()
		}
	}()
	for change, ok := c.next(); ok; change, ok = c.next() {
		c.callback.Run(func() { c.tell(change) })
	}
	finished = true
}

func (c *changes) next() (Change, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callback.Disabled() {
		c.unreported += int64(len(c.waiting))
		c.waiting = nil
	}
	if len(c.waiting) == 0 {
		c.waiting, c.telling = nil, false
		return Change{}, false
	}
	change := c.waiting[0]
	c.waiting = c.waiting[1:]
	return change, true
}

func (c *changes) totals() (unreported, panics int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unreported, c.callback.Panics()
}
