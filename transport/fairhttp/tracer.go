package fairhttp

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/internal/deadline"
)

// tracer watches how an attempt gets its connections. It is used again for
// later attempts: a base that calls a hook late makes another attempt look as
// if it may have been sent, which errs on the safe side.
type tracer struct {
	hooks  httptrace.ClientTrace
	alone  context.Context // has the hooks and nothing else
	pooled bool

	asked, got, fresh atomic.Int32
	http2             atomic.Bool
}

// sightings are what a tracer saw of one attempt.
type sightings struct {
	asked int  // connections that were asked for
	got   int  // connections it was sent on, one after the other
	fresh int  // those among them that were not used before
	http2 bool // one of those spoke HTTP/2
}

func newTracer() *tracer {
	t := &tracer{pooled: true}
	t.hooks.GetConn = func(string) { t.asked.Add(1) }
	t.hooks.GotConn = t.gotConn
	t.alone = httptrace.WithClientTrace(context.Background(), &t.hooks)
	return t
}

func (t *tracer) gotConn(info httptrace.GotConnInfo) {
	t.got.Add(1)
	if info.Reused {
		return
	}
	t.fresh.Add(1)
	if negotiatedHTTP2(info.Conn) {
		t.http2.Store(true)
	}
}

func negotiatedHTTP2(conn net.Conn) bool {
	c, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	return ok && c.ConnectionState().NegotiatedProtocol == "h2"
}

// trace returns ctx with a tracer in it.
func (t *Transport) trace(ctx context.Context) (context.Context, *tracer) {
	if httptrace.ContextClientTrace(ctx) == nil {
		tr := t.tracers.Get().(*tracer)
		return deadline.WithValues(ctx, tr.alone), tr
	}
	// The caller's hooks are written into ours, which are then no longer fit for
	// anybody else.
	tr := newTracer()
	tr.pooled = false
	return deadline.Unhidden(httptrace.WithClientTrace(ctx, &tr.hooks), ctx), tr
}

// untrace ends the attempt of a tracer.
func (t *Transport) untrace(tr *tracer) sightings {
	seen := sightings{
		asked: int(tr.asked.Swap(0)), got: int(tr.got.Swap(0)), fresh: int(tr.fresh.Swap(0)),
		http2: tr.http2.Load(),
	}
	if seen.http2 {
		tr.http2.Store(false)
	}
	if tr.pooled {
		t.tracers.Put(tr)
	}
	return seen
}
