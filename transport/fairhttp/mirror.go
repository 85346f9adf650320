package fairhttp

import (
	"context"
	"io"
	"net/http"

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

// Copy implements [transport.Copier].
func (x *exchange) Copy(most int) transport.Attempt {
	req := x.request
	has := req.Body != nil && req.Body != http.NoBody
	if x.call.Stream || has && (req.GetBody == nil || req.ContentLength < 0 || req.ContentLength > int64(most)) {
		return nil
	}
	c := &copied{exchange{transport: x.transport, service: x.service, scheme: x.scheme}}
	c.call.Method = x.call.Method
	// The caller may use its request again before the copy is sent.
	c.request = req.Clone(req.Context())
	if c.request.Header == nil {
		c.request.Header = http.Header{}
	}
	c.request.Header.Set(Mirrored, "true")
	if has {
		body, err := req.GetBody()
		if err != nil {
			return nil
		}
		c.request.Body, c.body = body, body
	}
	return c
}

// Try implements [transport.Attempt].
func (c *copied) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	defer c.finish()
	o := c.exchange.Try(ctx, call)
	if r := c.response; r != nil && r.Body != nil {
		_, _ = io.CopyN(io.Discard, r.Body, mostDrained)
		r.Body.Close()
	}
	return o
}
