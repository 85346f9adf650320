package fairhttp

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// newSpares fills spares of a listener, and returns the listener's ends of the
// connections.
func newSpares(t *testing.T, n int, life time.Duration) (*spares, []net.Conn, context.CancelFunc) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &spares{life: life, dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}}
	var filling sync.WaitGroup
	filling.Go(func() { s.fill(ctx, n) })
	var ends []net.Conn
	for range n {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, conn)
	}
	t.Cleanup(func() {
		cancel()
		filling.Wait()
		l.Close()
		for _, e := range ends {
			e.Close()
		}
	})
	return s, ends, cancel
}

// settle waits until n spares are left.
func (s *spares) settle(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		s.mu.Lock()
		left := len(s.idle)
		s.mu.Unlock()
		if left == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d spares are left, want %d", left, n)
		}
	}
}

// closed waits for the other side to close.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the connection is open: %v", err)
	}
}

func TestSpares(t *testing.T) {
	t.Run("one that is alive is handed out, as good as new", func(t *testing.T) {
		s, ends, _ := newSpares(t, 1, time.Minute)
		s.settle(t, 1)
		conn := s.take()
		if conn == nil {
			t.Fatal("there is none")
		}
		defer conn.Close()
		for _, pair := range [][2]net.Conn{{conn, ends[0]}, {ends[0], conn}} {
			pair[0].Write([]byte("x"))
			pair[1].SetReadDeadline(time.Now().Add(30 * time.Second))
			b := make([]byte, 2)
			if n, err := pair[1].Read(b); n != 1 || b[0] != 'x' || err != nil {
				t.Errorf("read %q, %v", b[:n], err)
			}
		}
		if s.take() != nil {
			t.Error("it was handed out twice")
		}
	})
	t.Run("one that the server closed is not", func(t *testing.T) {
		s, ends, _ := newSpares(t, 2, time.Minute)
		s.settle(t, 2)
		ends[0].Close()
		s.settle(t, 1)
		ends[1].Close()
		s.settle(t, 0)
		if s.take() != nil {
			t.Error("a closed connection was handed out")
		}
	})
	t.Run("nor one on which the server spoke first", func(t *testing.T) {
		s, ends, _ := newSpares(t, 1, time.Minute)
		s.settle(t, 1)
		ends[0].Write([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n"))
		s.settle(t, 0)
		closed(t, ends[0])
	})
	t.Run("those that nobody takes are closed", func(t *testing.T) {
		s, ends, _ := newSpares(t, 2, 10*time.Millisecond)
		s.settle(t, 0)
		closed(t, ends[0])
		closed(t, ends[1])
	})
	t.Run("and so are all when the service is no longer followed", func(t *testing.T) {
		s, ends, cancel := newSpares(t, 2, time.Minute)
		cancel()
		s.settle(t, 0)
		closed(t, ends[0])
		closed(t, ends[1])
	})
}
