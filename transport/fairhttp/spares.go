package fairhttp

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// spareLife is shorter than what servers allow a connection that says nothing.
const spareLife = 5 * time.Second

// spares are connections to one instance that were dialled before they were
// needed.
type spares struct {
	dial func(context.Context) (net.Conn, error)
	life time.Duration // how long each waits to be used

	mu   sync.Mutex
	idle []*spare
}

// spare is an idle connection with a read pending, which notices when the
// server closes it.
type spare struct {
	conn net.Conn
	read chan error // what the pending read came to
}

// fill dials n connections, one after the other, and returns when the last of
// them was used, died or expired, or when ctx has ended. It gives up with the
// first that fails: calls will find out why.
func (s *spares) fill(ctx context.Context, n int) {
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	var watched sync.WaitGroup // the pending reads, bounded by life
	defer watched.Wait()
	for range n {
		conn, err := s.dial(ctx)
		if err != nil {
			return
		}
		c := &spare{conn: conn, read: make(chan error, 1)}
		conn.SetReadDeadline(time.Now().Add(s.life))
		s.mu.Lock()
		s.idle = append(s.idle, c)
		s.mu.Unlock()
		if ctx.Err() != nil {
			s.close()
		}
		watched.Go(func() {
			_, err := conn.Read(make([]byte, 1)) // a server never speaks first
			c.read <- err
			if s.remove(c) {
				conn.Close()
			}
		})
	}
}

// take returns a connection that is alive, or nil. It is the caller's.
func (s *spares) take() net.Conn {
	for {
		s.mu.Lock()
		last := len(s.idle) - 1
		if last < 0 {
			s.mu.Unlock()
			return nil
		}
		c := s.idle[last]
		s.idle = s.idle[:last]
		s.mu.Unlock()

		c.conn.SetReadDeadline(time.Unix(1, 0)) // ends the pending read
		if errors.Is(<-c.read, os.ErrDeadlineExceeded) {
			c.conn.SetReadDeadline(time.Time{})
			return c.conn
		}
		c.conn.Close()
	}
}

// remove reports whether c was still there.
func (s *spares) remove(c *spare) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.idle, c)
	if i < 0 {
		return false
	}
	s.idle = slices.Delete(s.idle, i, i+1)
	return true
}

// close closes all that is left.
func (s *spares) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.idle {
		c.conn.SetReadDeadline(time.Unix(1, 0)) // its read ends, and closes it
	}
}
