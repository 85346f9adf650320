package fairgrpc_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// quick is a config for servers that should come and go fast.
var quick = transport.ServeConfig{Grace: 20 * time.Millisecond, DeleteGrace: 10 * time.Millisecond, Signals: []os.Signal{}}

// serve runs one more instance of "orders" and returns what ends it, with its
// error.
func (w *world) serve(answer string) (stop func() error) {
	w.tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.tb.Fatal(err)
	}
	b := &backend{id: answer, unary: func(context.Context, string, string) (string, error) { return answer, nil }, stream: echo}
	srv := b.server()
	s, err := fairgrpc.Server(srv, l)
	if err != nil {
		w.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- transport.Serve(ctx, w.mesh, discovery.Instance{Service: "orders"}, quick, s) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// Trap 34, shutdown order: servers come and go under load, and no call is
// lost, whatever its method.
func TestTrap34DeployUnderLoad(t *testing.T) {
	w := newWorld(t)
	conn := w.dial()
	stop := w.serve("0")
	mustCall(t, conn, add, "", grpc.WaitForReady(true))

	var load sync.WaitGroup
	done := make(chan struct{})
	end := sync.OnceFunc(func() { close(done); load.Wait() })
	defer end()
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := call(within(t), conn, add, ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, next := range []string{"1", "2", "3"} {
		stopNext := w.serve(next)
		eventually(t, "the next one is called", func() bool { return mustCall(t, conn, get, "") == next })
		if err := stop(); err != nil {
			t.Error(err)
		}
		stop = stopNext
	}
	end()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Shutdown finishes what is in flight, and cuts off what does not finish in
// time, handlers that do not listen among it.
func TestShutdown(t *testing.T) {
	for _, tt := range []struct {
		name    string
		finish  bool // the stream ends while the server waits for it
		limit   time.Duration
		cutOff  bool
		harmful bool // the handler ignores its context
	}{
		{"in flight, finishes", true, limit, false, false},
		{"in flight, does not finish", false, 50 * time.Millisecond, true, false},
		{"handler that ignores its context", false, 50 * time.Millisecond, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			running, release := make(chan struct{}), make(chan struct{})
			b := &backend{stream: func(_ string, s grpc.ServerStream) error {
				close(running)
				if tt.harmful {
					<-release
					return nil
				}
				<-s.Context().Done()
				return s.Context().Err()
			}}
			if tt.finish {
				b.stream = func(string, grpc.ServerStream) error { close(running); <-release; return nil }
			}
			s, err := fairgrpc.Server(b.server(), l)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.Endpoint(), (discovery.Endpoint{Protocol: discovery.GRPC, Addr: l.Addr().String()}); got != want {
				t.Errorf("endpoint is %v, want %v", got, want)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve() }()
			w.register(discovery.Instance{ID: "a", Service: "orders", Addr: l.Addr().String()})
			ctx, cancel := context.WithCancel(within(t))
			defer cancel()
			if _, err := open(ctx, w.dial(), watch); err != nil {
				t.Fatal(err)
			}
			<-running
			if tt.finish {
				time.AfterFunc(20*time.Millisecond, func() { close(release) })
			} else {
				defer close(release)
			}
			bounded, cancelBound := context.WithTimeout(t.Context(), tt.limit)
			defer cancelBound()
			err = s.Shutdown(bounded)
			if tt.cutOff != errors.Is(err, context.DeadlineExceeded) || !tt.cutOff && err != nil {
				t.Errorf("Shutdown says %v", err)
			}
			if err := <-served; err != nil {
				t.Errorf("Serve says %v", err)
			}
		})
	}
}

// A server that is shut down before it began to serve ends in order.
func TestShutdownBeforeServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := fairgrpc.Server(grpc.NewServer(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(); err != nil {
		t.Error(err)
	}
}

// What Serve cannot do it says before it announces anything, and it leaves no
// listener behind.
func TestServeRefuses(t *testing.T) {
	w := newWorld(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for _, tt := range []struct{ name, addr, service, want string }{
		{"bad service", free.Addr().String(), "Orders", `service "Orders" is invalid`},
		{"address in use", taken.Addr().String(), "orders", "in use"},
		{"no address", "nonsense", "orders", "nonsense"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := fairgrpc.Serve(t.Context(), w.mesh, grpc.NewServer(), tt.addr, discovery.Instance{Service: tt.service})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
	again, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Fatalf("the listener was left open: %v", err)
	}
	again.Close()
	if _, err := fairgrpc.Server(grpc.NewServer(), bufconn.Listen(1)); err == nil {
		t.Error("a listener in memory was accepted")
	}
}
