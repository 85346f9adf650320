package fairhttp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// defaultConnectTimeout is how long a connection is waited for. It is ample for an
// instance whose machine is alive and not on another continent, since its kernel
// answers whatever its processes do. One that does not answer is passed over, and the
// call goes elsewhere while it has time.
const defaultConnectTimeout = 250 * time.Millisecond

var errUnanswered = errors.New("the address does not answer")

// connecting is a connection that is being made.
type connecting struct {
	after  time.Duration // how long it is waited for
	began  time.Time
	socket atomic.Pointer[syscall.RawConn] // that was opened last
	cancel context.CancelCauseFunc
	ctx    context.Context
	timer  *time.Timer
	mu     sync.Mutex // held to set the timer once more, or to stop it for good
}

// connect returns the context in which to make a connection. It ends with
// errUnanswered as its cause when nobody answers. Its end has to be called when
// there is a connection, or an error.
func connect(ctx context.Context, after time.Duration) *connecting {
	c := &connecting{after: after, began: time.Now()}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.mu.Lock()
	c.timer = time.AfterFunc(after, c.up)
	c.mu.Unlock()
	return c
}

func (c *connecting) end() {
	c.cancel(nil)
	c.mu.Lock()
	c.timer.Stop()
	c.mu.Unlock()
}

// up is called when the time is. Where this process had no CPU, or was stopped, the
// answer may be there and unread, or was never asked for in time. So it is the
// kernel that is asked, and time that was noticed late does not count.
func (c *connecting) up() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	now := time.Now()
	if now.Sub(c.began) > c.after*5/4 || !c.silent() {
		c.began = now
		c.timer.Reset(c.after)
		return
	}
	c.cancel(errUnanswered)
}

// silent reports whether the other side has not answered.
func (c *connecting) silent() bool {
	socket := c.socket.Load()
	if socket == nil {
		return false // the address is being looked for, and nobody was asked yet
	}
	is := true
	if err := (*socket).Control(func(fd uintptr) { is = asks(fd) }); err != nil {
		return true
	}
	return is
}
