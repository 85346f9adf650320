package fairhttp

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestConnectionIsWaitedForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, connected := connecting(t.Context())
		defer connected()
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != 250*time.Millisecond || context.Cause(ctx) != errUnanswered {
			t.Errorf("it ended after %s with %v", took, context.Cause(ctx))
		}
	})
}

func TestConnectionThatCameIsNotUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, connected := connecting(t.Context())
		connected()
		time.Sleep(time.Second)
		if context.Cause(ctx) == errUnanswered {
			t.Error("a connection that came counts as unanswered")
		}
	})
}

// Of a process that has no CPU nobody can say that it was not answered: here the
// answers are there at once, and are read late.
func TestAnswersThatAreReadLateAreAnswers(t *testing.T) {
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
			ctx, connected := connecting(t.Context())
			defer connected()
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
			if err != nil {
				t.Errorf("no connection: %v, %v", err, context.Cause(ctx))
				return
			}
			conn.Close()
		})
	}
	all.Wait()
}
