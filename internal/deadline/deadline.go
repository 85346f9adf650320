// Package deadline has contexts that end after a time and cost a call less than those
// of package context: their timers are used again by later calls.
package deadline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// Context ends after a time, or with its parent, or once it is released.
type Context struct {
	context.Context               // the parent
	began           time.Duration // by [balancer.Now]
	after           time.Duration
	why             error
	timer           *timer
	leave           func() bool         // no longer follows the parent; nil: that never ends
	end             atomic.Pointer[end] // nil: not yet

	mu        sync.Mutex // guards the rest, and who sets end
	at        time.Time  // zero: nobody has asked
	lifted    bool
	done      chan struct{}
	followers followers
}

// end is how a context ended.
type end struct {
	err   error
	cause context.Context // tells [context.Cause]; nil: the parent does
	own   bool            // the time was up
}

// released is the end of all that were released.
var released = &end{err: context.Canceled, cause: cancelled(context.Canceled)}

func cancelled(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

func expired(why error) *end {
	return &end{err: context.DeadlineExceeded, cause: cancelled(why), own: true}
}

// After returns a context that has so much time from now on, and what [context.Cause]
// tells once that is up. Release must follow. Now is read by [balancer.Now].
func (t *Timers) After(parent context.Context, now, d time.Duration, why error) *Context {
	c := &Context{Context: parent, began: now, after: d, why: why}
	c.mu.Lock() // it may end at once
	defer c.mu.Unlock()
	c.timer = t.start(c)
	if parent.Done() != nil {
		c.leave = context.AfterFunc(parent, c.follow)
	}
	return c
}

// Deadline is when the time is up. The time begins when somebody first asks, unless
// more than a thousandth of it has gone by: a server is told how much is left, and if
// that is the whole of it for most calls, header compression knows it again.
func (c *Context) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lifted {
		return c.Context.Deadline()
	}
	if c.at.IsZero() {
		now := time.Now()
		c.at = now.Add(c.after)
		if gone := balancer.At(now) - c.began; gone > c.after/1000 || c.end.Load() != nil {
			c.at = now.Add(c.after - gone)
		}
		if earlier, ok := c.Context.Deadline(); ok && earlier.Before(c.at) {
			c.at = earlier
		}
	}
	return c.at, true
}

// Rest is how much of its own time is left. To ask for it is not to ask for the
// Deadline.
func (c *Context) Rest(now time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restLocked(now)
}

func (c *Context) restLocked(now time.Duration) time.Duration {
	if c.at.IsZero() {
		return c.after - (now - c.began)
	}
	return balancer.At(c.at) - now
}

// Lift takes the limit away: from now on there is as much time as the parent has. It
// reports whether that was in time; if not, c has ended.
func (c *Context) Lift() bool {
	c.mu.Lock()
	if e := c.end.Load(); e != nil || c.lifted {
		c.mu.Unlock()
		return e == nil || !e.own
	}
	c.lifted = true
	inTime := c.timer.stop()
	c.mu.Unlock()
	if !inTime {
		c.finish(expired(c.why)) // whoever the timer has called may not have come to it
	}
	return inTime
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.end.Load() != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements [context.Context].
func (c *Context) Err() error {
	if e := c.end.Load(); e != nil {
		return e.err
	}
	if c.leave != nil && c.Context.Err() != nil {
		c.follow() // the goroutine that is to do it may not have come to it
		return c.Err()
	}
	return nil
}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if e := c.end.Load(); e != nil && e.cause != nil {
		if v := e.cause.Value(key); v != nil {
			return v
		}
	}
	return c.Context.Value(key)
}

// AfterFunc has f called once c has ended. Package context asks for it where it
// derives contexts from c; without it, each would be a goroutine.
func (c *Context) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.Load() != nil {
		go f() // the caller may hold locks that f takes
		return func() bool { return false }
	}
	n := c.followers.add(f)
	if n == 0 {
		return stays // it is called at the end, and finds that it was stopped
	}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.followers.remove(n)
	}
}

// stays is how the first one stops: the context that a transport derives ends before c
// does, and is not looked for in vain.
func stays() bool { return false }

// Release frees what c holds, and cancels it if it had not ended. More than once does
// nothing.
func (c *Context) Release() { c.finish(released) }

// expire ends c if its time is up, and is called once that may be so.
func (c *Context) expire() {
	c.mu.Lock()
	if rest := c.restLocked(balancer.Now()); rest > 0 && !c.lifted {
		c.timer.again(rest)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.finish(expired(c.why))
}

// follow ends c because the parent has.
func (c *Context) follow() { c.finish(&end{err: c.Context.Err()}) }

func (c *Context) finish(how *end) {
	c.mu.Lock()
	if !c.end.CompareAndSwap(nil, how) {
		c.mu.Unlock()
		return
	}
	if c.done != nil {
		close(c.done)
	}
	all, lifted := c.followers, c.lifted
	c.followers = followers{}
	c.mu.Unlock()
	if !lifted {
		c.timer.stop()
	}
	if c.leave != nil {
		c.leave()
	}
	all.call()
}
