package fairhttp

import (
	"io"
	"net/http"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// net/http repeats a request by itself if the connection it was lost on had
// been used before, as often as it finds such connections. Usually the server
// had just closed an idle connection, and all is well. But where an instance
// loses connections while it works, each repetition may be another execution
// that no budget knows of. So such a loss makes the leaf wary for a second:
// requests then go out in a form that net/http sends once, and what is lost
// comes back to the mesh. HTTP/2 repeats only what the server has refused.

// waryFor is how long one loss is remembered.
const waryFor = time.Second

// lost makes the leaf wary.
func (l *leaf) lost() {
	if !l.http2.Load() {
		l.loss.Store(int64(balancer.Now()))
	}
}

// wary reports whether a connection to the instance was lost lately. The
// common answer takes one load.
func (l *leaf) wary() bool {
	at := l.loss.Load()
	if at == 0 {
		return false
	}
	if balancer.Now()-time.Duration(at) < waryFor {
		return true
	}
	l.loss.CompareAndSwap(at, 0)
	return false
}

// single puts a request of ours into a form that net/http does not repeat over
// HTTP/1, and that looks the same on the wire: it does not repeat a body that
// it cannot get again, were it an empty one.
func (l *leaf) single(req *http.Request) {
	if l.http2.Load() || len(req.Header["Expect"]) > 0 || !repeats(req) {
		return
	}
	if req.Body == nil || req.Body == http.NoBody {
		req.Body, req.ContentLength = empty{}, 0
		// Neither Content-Length nor chunks.
		req.TransferEncoding = []string{"identity"}
	}
	req.GetBody = nil
}

// repeats reports whether net/http would repeat a request whose body it can
// get again.
func repeats(req *http.Request) bool {
	return isSafe(req.Method) || req.Method == "" ||
		len(req.Header["Idempotency-Key"]) > 0 || len(req.Header["X-Idempotency-Key"]) > 0
}

type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }
func (empty) Close() error             { return nil }
