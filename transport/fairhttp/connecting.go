package fairhttp

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"
)

// connectTimeout is how long a connection is waited for. It is ample for an
// instance whose machine is alive, since its kernel answers whatever its processes
// do. One that does not answer is passed over, and the call goes elsewhere while it
// has time.
const connectTimeout = 250 * time.Millisecond

var errUnanswered = errors.New("no answer within 250ms")

// connecting is a connection that is being made.
type connecting struct {
	began  time.Time
	socket atomic.Pointer[syscall.RawConn] // that was opened last
	cancel context.CancelCauseFunc
	ctx    context.Context
}

// connect returns the context in which to make a connection. It ends with
// errUnanswered as its cause when nobody answers. Its end has to be called when
// there is a connection, or an error.
func connect(ctx context.Context) *connecting {
	c := &connecting{began: time.Now()}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	time.AfterFunc(connectTimeout, c.up)
	return c
}

func (c *connecting) end() { c.cancel(nil) }

// up is called when the time is. Where this process had no CPU, or was stopped, the
// answer may be there and unread, or was never asked for in time. So it is the
// kernel that is asked, and time that was noticed late does not count.
func (c *connecting) up() {
	if c.ctx.Err() != nil {
		return
	}
	now := time.Now()
	if now.Sub(c.began) > connectTimeout*5/4 || !c.silent() {
		c.began = now
		time.AfterFunc(connectTimeout, c.up)
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
