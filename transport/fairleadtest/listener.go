package fairleadtest

import (
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Listener is a real listening socket whose connections fail on demand, for
// tests with real servers: give it to their Serve. It is safe for concurrent
// use.
type Listener struct {
	net.Listener

	refusing atomic.Bool
	delay    atomic.Int64 // a time.Duration
	mu       sync.Mutex   // guards conns
	conns    map[*conn]struct{}
}

// Listen opens a socket on a free port of the loopback interface. Whoever
// serves on it closes it.
func Listen() (*Listener, error) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: inner, conns: map[*conn]struct{}{}}, nil
}

// Reset tears down all connections as the death of a process does: whoever
// reads or writes on the other side is told that the connection was reset.
func (l *Listener) Reset() {
	l.mu.Lock()
	conns := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	for _, c := range conns {
		linger(c.Conn)
		c.Close()
	}
}

// Refuse says whether new connections are reset before a byte is exchanged.
func (l *Listener) Refuse(yes bool) { l.refusing.Store(yes) }

// Delay says by how much later everything that the server writes is sent.
func (l *Listener) Delay(d time.Duration) { l.delay.Store(int64(d)) }

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.refusing.Load() {
			linger(inner)
			inner.Close()
			continue
		}
		c := &conn{Conn: inner, listener: l, closed: make(chan struct{})}
		l.mu.Lock()
		l.conns[c] = struct{}{}
		l.mu.Unlock()
		return c, nil
	}
}

// linger makes the close of a connection say RST instead of FIN.
func linger(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}

// conn is a connection of a Listener, of the server's side.
type conn struct {
	net.Conn
	listener *Listener
	once     sync.Once
	closed   chan struct{} // ends delays
}

func (c *conn) Write(p []byte) (int, error) {
	if d := time.Duration(c.listener.delay.Load()); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.closed:
		}
	}
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.listener.mu.Lock()
		delete(c.listener.conns, c)
		c.listener.mu.Unlock()
	})
	return c.Conn.Close()
}
