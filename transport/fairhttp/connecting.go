package fairhttp

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// connectTimeout is how long a connection is waited for. It is ample for an
// instance whose machine is alive, since its kernel answers whatever its processes
// do. One that does not answer is passed over, and the call goes elsewhere while it
// has time.
const connectTimeout = 250 * time.Millisecond

// turns is how often a connection that is there needs the CPU until its dialer has
// returned: the dialer, the goroutine that watches its context, and the dialer
// again.
const turns = 4

var errUnanswered = errors.New("no answer within 250ms")

// connecting returns a context in which to make a connection, which ends with
// errUnanswered as its cause when that took too long. The function that comes with
// it has to be called when there is a connection, or an error.
//
// Where this process had no CPU, or was stopped, the answer may be there and
// unread. So time that was noticed late does not count, and whoever could run has
// its turn before anything is concluded: timers are served before connections.
func connecting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	began := time.Now()
	var up func()
	up = func() {
		now := time.Now()
		late := now.Sub(began) > connectTimeout*5/4
		for range turns {
			runtime.Gosched()
		}
		switch {
		case ctx.Err() != nil:
		case late:
			began = now
			time.AfterFunc(connectTimeout, up)
		default:
			cancel(errUnanswered)
		}
	}
	time.AfterFunc(connectTimeout, up)
	return ctx, func() { cancel(nil) }
}
