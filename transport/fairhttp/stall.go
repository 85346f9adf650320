package fairhttp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// ErrStalled is wrapped by the error of an answer's body of which nothing came for
// [Config].ReadIdleTimeout. The error also wraps [os.ErrDeadlineExceeded], and is a
// [net.Error] whose Timeout is true.
var ErrStalled = errors.New("the body of the answer stalls")

// stalledError says which instance is to blame.
type stalledError struct {
	instance string
	after    time.Duration
}

func (e *stalledError) Error() string {
	return fmt.Sprintf("fairhttp: %v: nothing came from instance %s for %s", ErrStalled, e.instance, e.after)
}

func (*stalledError) Unwrap() []error { return []error{ErrStalled, os.ErrDeadlineExceeded} }
func (*stalledError) Timeout() bool   { return true }

// Temporary is the rest of [net.Error].
func (*stalledError) Temporary() bool { return true }

// stallLate is how long after its time a stall may be noticed before it says more of
// this process than of the instance, as for other timeouts.
const stallLate = 100 * time.Millisecond

// stall bounds how long each read of a body waits. What bounds it runs during reads
// only: how long the caller takes between them is its own affair.
type stall struct {
	after time.Duration
	body  io.ReadCloser
	timer *time.Timer // of the read on its way; nil before the first
	due   time.Time
	up    atomic.Bool
	late  atomic.Bool
}

func (s *stall) Read(p []byte) (int, error) {
	s.due = time.Now().Add(s.after)
	if s.timer == nil {
		s.timer = time.AfterFunc(s.after, s.end)
	} else {
		s.timer.Reset(s.after)
	}
	n, err := s.body.Read(p)
	s.timer.Stop() // if it was too late for that, the next read fails
	return n, err
}

// end runs in the goroutine of the timer. A closed body ends its read, and takes its
// connection with it.
func (s *stall) end() {
	s.late.Store(time.Since(s.due) > stallLate)
	s.up.Store(true)
	s.body.Close()
}
