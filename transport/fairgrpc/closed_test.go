package fairgrpc_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
)

// Nobody will ever be ready once the mesh is closed, so calls that wait for it
// end.
func TestWaitForReadyEndsWithTheMesh(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := l.Addr().String()
	l.Close()
	for name, instances := range map[string][]discovery.Instance{
		"nobody there":     nil,
		"one that is down": discovery.Addrs("orders", refusing),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, i := range instances {
				w.register(i)
			}
			conn := w.dial()
			ended := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				_, err := call(ctx, conn, get, "1", grpc.WaitForReady(true))
				ended <- err
			}()
			eventually(t, "the call waits", func() bool { return len(w.mesh.Dump().Services) == 1 && conn.GetState().String() != "IDLE" })
			w.mesh.Close(context.Background())
			select {
			case err := <-ended:
				if status.Code(err) != codes.Unavailable {
					t.Errorf("ended with %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("still waiting 20 s after the mesh was closed")
			}
		})
	}
}

// A cause given to a cancellation changes nothing of the code that gRPC's own
// callers would see.
func TestCancelledWithACauseIsCanceled(t *testing.T) {
	w := newWorld(t)
	b := start(t, "a")
	w.announce(b)
	conn := w.dial()
	warm(t, conn, b)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user went away"))
	if _, err := call(ctx, conn, get, "1"); status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}
