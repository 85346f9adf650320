// Package callback runs somebody else's code in the way of a call, whose panics
// are survived.
package callback

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A callback that panics mostPanics times within panicTime is not run any more: it
// would only go on.
const (
	mostPanics = 3
	panicTime  = time.Minute
)

// Callback is a piece of code that panics may come out of. It is safe for
// concurrent use.
type Callback struct {
	// Name is what the log calls it.
	Name string
	// Logger is told of panics; nil: nobody is, and they are counted only.
	Logger *slog.Logger

	panics   atomic.Int64
	disabled atomic.Bool

	mu     sync.Mutex // guards recent
	recent [mostPanics]time.Time
}

// Run calls f, and reports whether it came to its end: it did not if it panicked,
// or if it was not called any more because it had panicked too often.
func (c *Callback) Run(f func()) (ended bool) {
	if c.disabled.Load() {
		return false
	}
	defer func() {
		if !ended {
			c.panicked(recover())
		}
	}()
	f()
	return true
}

// Panics returns how many there were.
func (c *Callback) Panics() int64 { return c.panics.Load() }

// Disabled reports whether it is not called any more.
func (c *Callback) Disabled() bool { return c.disabled.Load() }

func (c *Callback) panicked(what any) {
	now := time.Now()
	c.mu.Lock()
	n := c.panics.Add(1)
	c.recent[n%mostPanics] = now
	oldest := c.recent[(n+1)%mostPanics]
	if n >= mostPanics && now.Sub(oldest) < panicTime {
		c.disabled.Store(true)
	}
	c.mu.Unlock()
	if c.Logger == nil {
		return
	}
	c.Logger.Error("fairlead: a callback panicked", "callback", c.Name, "panic", fmt.Sprint(what),
		"times", n, "disabled", c.Disabled(), "stack", string(debug.Stack()))
}
