package fairhttp

import (
	"net/http"
	"testing"
)

// closings counts how often idle connections were closed.
type closings struct {
	http.RoundTripper
	n int
}

func (c *closings) CloseIdleConnections() { c.n++ }

func TestGenerationEndsWithItsLastCall(t *testing.T) {
	base := new(closings)
	l := new(leaf)
	l.current.Store(&generation{base: base})
	one, other := l.use(), l.use()
	one.retire()
	if base.n != 1 {
		t.Errorf("idle connections closed %d times when it retired, want 1", base.n)
	}
	one.release()
	if base.n != 1 {
		t.Errorf("idle connections closed %d times with a call in flight, want 1", base.n)
	}
	other.release()
	if base.n != 2 {
		t.Errorf("idle connections closed %d times after the last call, want 2", base.n)
	}
}

// HTTP/2 may call a connection idle only after the last call has ended: retired
// generations are swept until one sweep has surely come after that.
func TestRetiredGenerationsAreSwept(t *testing.T) {
	base := new(closings)
	g := &generation{base: base}
	g.users.Add(1)
	s := new(service)
	s.retireLocked(g)
	for range 3 {
		s.sweepLocked()
	}
	if base.n != 4 || len(s.draining) != 1 {
		t.Errorf("%d closings, %d draining while a call is in flight; want 4 and 1", base.n, len(s.draining))
	}
	g.users.Add(-1)
	s.sweepLocked()
	if len(s.draining) != 1 {
		t.Error("it was forgotten by the first sweep after the last call")
	}
	s.sweepLocked()
	if base.n != 6 || len(s.draining) != 0 {
		t.Errorf("%d closings, %d draining after the last call; want 6 and 0", base.n, len(s.draining))
	}
}
