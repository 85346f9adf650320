package fairhttp

import (
	"context"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// deaf is a socket that can say nothing of itself.
type deaf struct{ syscall.RawConn }

func (deaf) Control(func(uintptr)) error { return syscall.EBADF }

func TestConnectionIsWaitedForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t.Context(), defaultConnectTimeout)
		defer c.end()
		began := time.Now()
		time.Sleep(time.Minute) // until then it is found out where the instance is
		var socket syscall.RawConn = deaf{}
		c.socket.Store(&socket)
		<-c.ctx.Done()
		if took := time.Since(began) - time.Minute; took > defaultConnectTimeout || context.Cause(c.ctx) != errUnanswered {
			t.Errorf("it ended %s after the instance was asked, with %v", took, context.Cause(c.ctx))
		}
	})
}

func TestConnectionThatCameIsNotUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t.Context(), defaultConnectTimeout)
		c.end()
		time.Sleep(time.Second)
		if context.Cause(c.ctx) == errUnanswered {
			t.Error("a connection that came counts as unanswered")
		}
	})
}

// Of a process that has no CPU nobody can say that it was not answered: here the
// answers are there at once, and are read late.
func TestAnswersThatAreReadLateAreAnswers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is asked")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts nobody: the kernel answers
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	began := time.Now()
	var all sync.WaitGroup
	for range 50 { // each has the only core for 10 ms at a time
		all.Go(func() {
			for time.Since(began) < 2*time.Second {
			}
		})
	}
	for range 20 {
		all.Go(func() {
			c := connect(t.Context(), defaultConnectTimeout)
			defer c.end()
			d := net.Dialer{ControlContext: func(_ context.Context, _, _ string, socket syscall.RawConn) error {
				c.socket.Store(&socket)
				return nil
			}}
			conn, err := d.DialContext(c.ctx, "tcp", l.Addr().String())
			if err != nil {
				t.Errorf("no connection: %v, %v", err, context.Cause(c.ctx))
				return
			}
			conn.Close()
		})
	}
	all.Wait()
}
