package fairhttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"

	"github.com/fairlead-go/fairlead/transport"
)

// Mirrored is the header that tells a server that a request is the copy of
// another, whose answer is thrown away.
const Mirrored = "Fairlead-Mirrored"

// mostDrained is how much of a copy's answer is read, so that its connection
// can be used again.
const mostDrained = 256 << 10

// copied is the copy of an exchange.
type copied struct{ exchange }

// Copy implements [transport.Copier]. The caller may use its request again
// before the copy is sent, so that nothing of it is shared.
func (x *exchange) Copy(most int) transport.Attempt {
	if x.call.Stream {
		return nil
	}
	req := detached(x.request, most)
	if req == nil {
		return nil
	}
	c := &copied{exchange{transport: x.transport, service: x.service, scheme: x.scheme}}
	c.call.Method = x.call.Method
	//lint:ignore SA1019 with this channel, http.Client ends its call only
	req.Cancel = nil
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set(Mirrored, "true")
	c.request, c.body = req, req.Body
	return c
}

// detached returns a request that shares nothing with another which its caller may
// write to, nil if that has a body of more than most bytes, or one that can be read
// only once.
func detached(req *http.Request, most int) *http.Request {
	body, ok := bodyOf(req, most)
	if !ok {
		return nil
	}
	req = req.Clone(req.Context())
	if body != nil {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
		req.ContentLength = int64(len(body))
	}
	return req
}

// bodyOf reads a request's body once more, of which GetBody may share the
// memory with the caller; nil if there is none. ok is false if there is more
// than most, or if it can be read only once.
func bodyOf(req *http.Request, most int) (body []byte, ok bool) {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return nil, true
	case req.GetBody == nil || req.ContentLength > int64(most):
		return nil, false
	}
	again, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	defer again.Close()
	body, err = io.ReadAll(io.LimitReader(again, int64(most)+1))
	return body, err == nil && len(body) <= most
}

// Try implements [transport.Attempt].
func (c *copied) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	defer c.finish()
	c.call = *call
	o := c.exchange.Try(withoutTrace(ctx), &c.call)
	*call = c.call
	if r := c.response; r != nil && r.Body != nil {
		_, _ = io.CopyN(io.Discard, r.Body, mostDrained)
		r.Body.Close()
	}
	return o
}

// withoutTrace returns ctx without the hooks of a caller, for what may outlive its
// call.
func withoutTrace(ctx context.Context) context.Context {
	if httptrace.ContextClientTrace(ctx) == nil {
		return ctx
	}
	// A hook that does nothing takes the place of those for package net.
	return httptrace.WithClientTrace(untraced{ctx}, &httptrace.ClientTrace{ConnectStart: func(string, string) {}})
}

// untraced is a context without the trace of a caller, which is of its own call
// and may be nobody's any more.
type untraced struct{ context.Context }

func (u untraced) Value(key any) any {
	value := u.Context.Value(key)
	if _, ok := value.(*httptrace.ClientTrace); ok {
		return nil
	}
	return value
}
