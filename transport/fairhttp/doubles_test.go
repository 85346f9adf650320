package fairhttp_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/discovery"
)

// wrapped hides what a base is.
type wrapped struct{ http.RoundTripper }

// base is a RoundTripper made of a function.
type base func(*http.Request) (*http.Response, error)

func (b base) RoundTrip(r *http.Request) (*http.Response, error) { return b(r) }

// tracked is a request body that knows what was done to it.
type tracked struct {
	mu     sync.Mutex
	r      *strings.Reader
	size   int
	closed int
	after  atomic.Int64 // reads after Close
}

func newTracked(s string) *tracked { return &tracked{r: strings.NewReader(s), size: len(s)} }

func (b *tracked) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed > 0 {
		b.after.Add(1)
	}
	return b.r.Read(p)
}

func (b *tracked) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	return nil
}

func (b *tracked) closes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func (b *tracked) consumed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.r.Len() < b.size
}

// brokenBody is a request body that cannot be read.
type brokenBody struct{ error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.error }
func (brokenBody) Close() error               { return nil }

var _ io.ReadCloser = brokenBody{}

// silent is a registry that never says anything.
type silent struct{}

func (silent) Watch(ctx context.Context, _ string) iter.Seq2[discovery.Snapshot, error] {
	return func(func(discovery.Snapshot, error) bool) { <-ctx.Done() }
}

// blockingBody blocks in Read until it is closed, and in Close until that Read
// has come back to its caller.
type blockingBody struct{ reading, closed, read chan struct{} }

func (b *blockingBody) Read([]byte) (int, error) {
	close(b.reading)
	<-b.closed
	return 0, http.ErrBodyReadAfterClose
}

func (b *blockingBody) Close() error {
	close(b.closed)
	<-b.read
	return nil
}
