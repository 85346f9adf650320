package fairhttp

import (
	"io"
	"time"
)

// What is read of an answer that nobody will see, so that its connection can be
// used again. What is longer, or slower, is not worth that.
const (
	mostDiscarded    = 64 << 10
	longestDiscarded = 50 * time.Millisecond
)

// Discard implements [transport.Discarder].
func (x *exchange) Discard() {
	resp := x.response
	x.response, x.current = nil, nil
	if resp == nil || resp.Body == nil {
		return
	}
	if resp.ContentLength <= mostDiscarded {
		late := time.AfterFunc(longestDiscarded, func() { resp.Body.Close() })
		_, _ = io.CopyN(io.Discard, resp.Body, mostDiscarded+1)
		late.Stop()
	}
	resp.Body.Close()
}
