package fairhttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// upload stands between a base and a request body for one attempt, where the
// attempt may fail with the body untouched or where nothing is known of the
// base. As long as nothing was read, closing it is held back: then the same
// body can go into another attempt. Once the attempt is over and the body went
// elsewhere, a base that comes late finds it closed.
type upload struct {
	mu    sync.Mutex
	body  io.ReadCloser // nil once closed or taken back
	read  bool          // at least once
	held  bool          // the base closed it, and it is not closed
	over  bool          // nothing is held back any more
	wrong bool          // reading failed: the caller's doing
}

// guard returns x.body as the base may have it.
//
// A body that GetBody can replace goes as it is to a base that is net/http's
// own: that sends what it knows to be in memory in one packet with the header,
// and has closed it when it returns an error that is worth another attempt.
func (x *exchange) guard(l *leaf) io.ReadCloser {
	if x.request.GetBody != nil && !l.isShared() {
		x.upload = nil
		return x.body
	}
	x.upload = &x.first
	if x.round > 1 {
		x.upload = new(upload) // the base may still hold the last one
	}
	x.upload.body = x.body
	return x.upload
}

// hasBody reports whether the request has one.
func (x *exchange) hasBody() bool { return x.request.Body != nil && x.request.Body != http.NoBody }

// repeatable reports whether a request that a base took can be sent once more.
func (x *exchange) repeatable() bool { return !x.hasBody() || x.request.GetBody != nil }

var errBodyGone = errors.New("the request body is sent, and cannot be read again: there is no GetBody")

// refill makes sure that an attempt that needs a body has one.
func (x *exchange) refill() error {
	if x.body != nil || !x.hasBody() {
		return nil
	}
	if x.upload != nil { // of an attempt that was answered
		x.upload.end()
		x.upload = nil
	}
	if x.request.GetBody == nil {
		return errBodyGone
	}
	body, err := x.request.GetBody()
	if err != nil {
		return fmt.Errorf("get the request body once more: %w", err)
	}
	x.body = body
	return nil
}

// takeBack ends the failed attempt's hold on the body and reports whether
// there is one for another attempt.
func (x *exchange) takeBack() bool {
	switch {
	case !x.hasBody() || x.body != nil || x.upload == nil:
		return true
	case x.request.GetBody != nil:
		x.upload.end()
		return true
	default:
		x.body = x.upload.takeBack()
		return x.body != nil
	}
}

func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	body := u.body
	u.read = true
	u.mu.Unlock()
	if body == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := body.Read(p)
	if err != nil && err != io.EOF {
		u.mu.Lock()
		u.wrong = true
		u.mu.Unlock()
	}
	return n, err
}

func (u *upload) Close() error {
	u.mu.Lock()
	if !u.read && !u.over {
		u.held = true
		u.mu.Unlock()
		return nil
	}
	body := u.body
	u.body = nil
	u.mu.Unlock()
	if body == nil {
		return nil
	}
	return body.Close()
}

// takeBack returns the body if nothing of it was read.
func (u *upload) takeBack() io.ReadCloser {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if u.read {
		return nil // the base closes it, as is its duty
	}
	body := u.body
	u.body = nil
	return body
}

// release lets a Close through that was held back, and all later ones.
func (u *upload) release() {
	u.mu.Lock()
	u.over = true
	held := u.held
	u.mu.Unlock()
	if held {
		u.Close()
	}
}

// end closes the body, whatever the base still does with it.
func (u *upload) end() {
	u.mu.Lock()
	u.over = true
	u.mu.Unlock()
	u.Close()
}

// broken reports whether the caller's body could not be read.
func (u *upload) broken() bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.wrong
}
