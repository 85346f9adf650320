package fairgrpc_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// proxy stands between a client and a server, and can swallow what either says.
type proxy struct {
	addr     string
	swallows atomic.Bool
	mute     atomic.Bool // new connections, too
	accepted atomic.Int64
}

func between(t *testing.T, to string) *proxy {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, l := &proxy{addr: inner.Addr().String()}, &listener{Listener: inner}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			s, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			born := p.swallows.Load() && !p.mute.Load()
			pass := func(from, to net.Conn) {
				defer to.Close()
				buf := make([]byte, 32<<10)
				for {
					n, err := from.Read(buf)
					if err != nil {
						return
					}
					if p.swallows.Load() && !born { // half open: it was there before
						continue
					}
					if _, err := to.Write(buf[:n]); err != nil {
						return
					}
				}
			}
			serving.Go(func() { pass(c, s) })
			serving.Go(func() { pass(s, c) })
		}
	})
	t.Cleanup(func() { l.Close(); l.cut(); serving.Wait() })
	return p
}

// Row 19: two calls lose their attempt to a half-open connection, and go elsewhere;
// then there is another in its place. Where that is as mute, nobody is sent there
// any more. Nothing of it is an ejection's doing, which is off.
func TestRow19HalfOpenConnectionIsReplaced(t *testing.T) {
	for name, mute := range map[string]bool{"a new one works": false, "a new one is mute": true} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, "v1"), start(t, "v2")
			p := between(t, a.addr)
			w := ruled(t, hurried(200*time.Millisecond, "timeout"), []*backend{{id: "v1", addr: p.addr}, b}, inTurnInAnyCase())
			conn := w.dial()
			warm(t, conn, a, b)
			p.mute.Store(mute)
			p.swallows.Store(true)
			for range 20 {
				if _, err := call(within(t), conn, get, "x"); err != nil {
					t.Fatal(err)
				}
			}
			if !mute {
				eventually(t, "the instance is called again", func() bool { mustCall(t, conn, get, "y"); return a.executed.Load() > 0 })
			}
			if got := w.attempts()["timeout"]; got != 2 {
				t.Errorf("%d attempts were lost", got)
			}
			if got := p.accepted.Load(); got != 2 {
				t.Errorf("%d connections", got)
			}
		})
	}
}

// Calls on a connection that is given up go on, and one that answers now and then
// is not given up.
func TestSlowIsNotSilent(t *testing.T) {
	a := start(t, "v1")
	answer := make(chan struct{})
	a.unary = func(_ context.Context, _, in string) (string, error) {
		if in != "" {
			<-answer
		}
		return in, nil
	}
	w := newWorld(t)
	w.announce(a)
	conn := w.dial()
	hang := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := call(ctx, conn, add, "hang"); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("the call ended with %v", err)
		}
	}
	held := make(chan error, 1)
	go func() {
		_, err := call(within(t), conn, add, "held")
		held <- err
	}()
	eventually(t, "a call is held", func() bool { return a.executed.Load() == 1 })
	for range 3 {
		hang()
		mustCall(t, conn, add, "")
	}
	if got := a.accepted(); got != 1 {
		t.Errorf("%d connections to a server that answers", got)
	}
	eventually(t, "there is another connection", func() bool {
		hang()
		hang() // one whose time was up before it was sent says nothing
		mustCall(t, conn, add, "")
		return a.accepted() == 2
	})
	for range 4 { // not again so soon
		hang()
	}
	mustCall(t, conn, add, "")
	close(answer)
	if err := <-held; err != nil || a.accepted() != 2 {
		t.Errorf("%d connections; the call on the old one ended with %v", a.accepted(), err)
	}
}
