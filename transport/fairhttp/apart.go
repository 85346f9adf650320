package fairhttp

import (
	"cmp"
	"net/http"
	"time"
)

// Bulk traffic comes in bursts, and can wait for a handshake.
const (
	mostIdleApart    = 8
	idleTimeoutApart = 30 * time.Second
)

// limitApart keeps few idle connections for sheddable calls, and not for long.
func limitApart(h *http.Transport) {
	h.MaxIdleConnsPerHost = min(h.MaxIdleConnsPerHost, mostIdleApart)
	h.IdleConnTimeout = min(cmp.Or(h.IdleConnTimeout, idleTimeoutApart), idleTimeoutApart)
}

// apart returns the leaf for sheddable calls to the instance of l, which is made with
// the first of them. On connections of their own they take no other call's place
// in a pool, in the windows of HTTP/2, or in the packets of a connection.
func (s *service) apart(l *leaf) *leaf {
	if l.isShared() {
		return l
	}
	if a := l.apart.Load(); a != nil {
		return a
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l = s.leafLocked(l.node) // since then, the instance may have left
	if a := l.apart.Load(); a != nil {
		return a
	}
	a := s.grow(l.node, true)
	a.current.Load().retired.Store(s.ended)
	l.apart.Store(a)
	return a
}
