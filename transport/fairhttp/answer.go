package fairhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/transport"
)

// answer is the body of a response. The attempt is in flight until the body
// ends, by whatever comes first: its end, an error, Close, or the end of the
// context of a stream that nobody reads.
type answer struct {
	body     io.ReadCloser // the base's
	exchange *exchange
	ctx      context.Context // of the attempt
	lease    transport.Lease
	gen      *generation
	outcome  transport.Outcome // if all goes well
	turn     int               // of the attempt
	over     atomic.Bool
	stop     func() bool // takes abandon back; may be nil
	stall    *stall      // nil: a read may wait as long as the call has
}

// begin puts the answer into x.response, where there is a body to wait for.
func (a *answer) begin(x *exchange, lease transport.Lease, gen *generation, o transport.Outcome) {
	resp, ctx := x.response, x.ctx
	a.exchange, a.ctx, a.lease, a.gen, a.outcome, a.turn = x, ctx, lease, gen, o, x.call.Turn()
	a.body = resp.Body
	if w, ok := resp.Body.(io.Writer); ok {
		// 101: the connection is the caller's now, and no context ends it.
		resp.Body = upgraded{a, w}
		return
	}
	if resp.Body == nil || resp.ContentLength == 0 || x.call.Method == http.MethodHead {
		a.settle(o)
		return
	}
	resp.Body = a
	if after := x.transport.config.ReadIdleTimeout; after > 0 && !x.call.Stream {
		a.stall = &stall{after: after, body: a.body}
	}
	if ctx.Done() != nil && oftenAbandoned(resp) {
		a.stop = context.AfterFunc(ctx, a.abandon)
	}
}

// oftenAbandoned reports whether callers are known to leave such a body neither
// read nor closed: a stream, what is long, and what is not what they wanted.
// A short success is read, and watching the context costs more than all else
// that is done here.
func oftenAbandoned(resp *http.Response) bool {
	return resp.ContentLength < 0 || resp.ContentLength > 64<<10 || resp.StatusCode >= 300
}

func (a *answer) Read(p []byte) (int, error) {
	var n int
	var err error
	if a.stall == nil {
		n, err = a.body.Read(p)
	} else if n, err = a.stall.Read(p); a.stalled(err) {
		err = &stalledError{a.lease.Node().ID(), a.stall.after}
	}
	if err != nil && a.claim() {
		a.settle(a.judge(err))
	}
	if err != nil && err != io.EOF {
		err = a.exchange.call.Explain(a.ctx, err)
	}
	return n, err
}

// Close settles after the base's Close, which gives the connection back, but
// claims before it: a Read that fails because of it says nothing.
func (a *answer) Close() error {
	mine := a.claim()
	err := a.body.Close()
	if mine {
		a.settle(a.outcome)
	}
	return err
}

// abandon is called once the context has ended.
func (a *answer) abandon() {
	if a.over.CompareAndSwap(false, true) {
		o := a.outcome
		o.Class, o.Err = transport.Neutral, context.Cause(a.ctx)
		a.settle(o)
	}
}

// claim reports to one of its callers that the end is theirs to settle.
func (a *answer) claim() bool {
	if !a.over.CompareAndSwap(false, true) {
		return false
	}
	if a.stop != nil {
		a.stop()
	}
	return true
}

func (a *answer) settle(o transport.Outcome) {
	a.lease.Done(o)
	a.gen.release()
	a.exchange.call.Ended(a.turn)
}

// judge turns the error that ended the body into an outcome.
func (a *answer) judge(err error) transport.Outcome {
	o := a.outcome
	if err == io.EOF { // not that of a stall, see Read
		return o
	}
	o.Err, o.Class = err, transport.Lost
	if a.stalled(err) {
		o.Class, o.Late = transport.Timeout, a.stall.late.Load()
	} else if ended, _ := endedBy(a.ctx, a.exchange.request); ended {
		// Whether the instance was slow to send or the caller slow to read
		// cannot be told.
		o.Class = transport.Neutral
	}
	return o
}

// stalled reports whether a read ended because nothing came for too long. An end of
// the body is none then: the server may have made it because the connection went.
func (a *answer) stalled(err error) bool {
	return err != nil && a.stall != nil && a.stall.up.Load()
}

// upgraded is the body of a 101 response: both directions of a connection.
type upgraded struct {
	*answer
	io.Writer
}

// CloseWrite ends the caller's direction, where the connection can do that.
func (u upgraded) CloseWrite() error {
	if c, ok := u.Writer.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
