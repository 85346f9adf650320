package fairgrpc_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// waiting is a context whose calls wait for ready.
func waiting(ctx context.Context) context.Context {
	return transport.WithCall(ctx, transport.WaitForReady(true))
}

// kinds are the two kinds of calls, each made and answered in full.
var kinds = map[string]func(ctx context.Context, conn *grpc.ClientConn, opts ...grpc.CallOption) error{
	"unary": func(ctx context.Context, conn *grpc.ClientConn, opts ...grpc.CallOption) error {
		_, err := call(ctx, conn, get, "x", opts...)
		return err
	},
	"stream": func(ctx context.Context, conn *grpc.ClientConn, opts ...grpc.CallOption) error {
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, upload, opts...)
		if err != nil {
			return err
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		return s.RecvMsg(new(wrapperspb.StringValue))
	},
}

// Calls told by their context to wait go out when the first instance of a
// service that was scaled to zero appears, every one of them.
func TestWaitForReadyByContext(t *testing.T) {
	const calls = 500
	w := newWorld(t)
	a := start(t, "a")
	conn := w.dial()
	ctx := within(t)
	var waiters sync.WaitGroup
	for _, do := range kinds {
		for range calls {
			waiters.Go(func() {
				if err := do(waiting(ctx), conn); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "all wait", func() bool {
		services := w.mesh.Dump().Services
		return len(services) == 1 && services[0].Waiting == int64(calls*len(kinds))
	})
	for kind, do := range kinds {
		if err := do(ctx, conn); status.Code(err) != codes.Unavailable || !errors.Is(err, balancer.ErrNoInstances) {
			t.Errorf("%s that was not told to wait: %v", kind, err)
		}
	}
	w.announce(a)
	waiters.Wait()
	if got := a.executed.Load(); got != int64(calls*len(kinds)) {
		t.Errorf("%d calls were executed", got)
	}
}

// A wait in vain ends with the call's deadline, or with the mesh.
func TestWaitForReadyByContextEnds(t *testing.T) {
	for kind, do := range kinds {
		t.Run(kind+"/deadline", func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			err := do(waiting(ctx), w.dial())
			own, ok := errors.AsType[*transport.Error](err)
			if !ok || own.Stage != transport.StageWait || !own.Timeout() || status.Code(err) != codes.DeadlineExceeded {
				t.Fatalf("error is %#v (%v)", own, err)
			}
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, balancer.ErrNoInstances) {
				t.Errorf("error does not say why: %v", err)
			}
		})
		t.Run(kind+"/mesh closed", func(t *testing.T) {
			w := newWorld(t)
			conn := w.dial()
			ended := make(chan error, 1)
			go func() { ended <- do(waiting(within(t)), conn) }()
			eventually(t, "it waits", func() bool {
				services := w.mesh.Dump().Services
				return len(services) == 1 && services[0].Waiting == 1
			})
			w.mesh.Close(context.Background())
			if err := <-ended; status.Code(err) != codes.Unavailable || !errors.Is(err, transport.ErrClosed) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// An instance that is listed and cannot be connected to yet is waited for as
// well, as with gRPC's own option, which goes on to work beside ours.
func TestWaitForReadyReachesTheConnection(t *testing.T) {
	for kind, do := range kinds {
		for _, tt := range []struct {
			name  string
			ctx   func(context.Context) context.Context
			opts  []grpc.CallOption
			waits bool
		}{
			{"by context", waiting, nil, true},
			{"by gRPC's option", func(ctx context.Context) context.Context { return ctx }, []grpc.CallOption{grpc.WaitForReady(true)}, true},
			{"by gRPC's option, and nothing said by the context", func(ctx context.Context) context.Context {
				return transport.WithCall(ctx, transport.WaitForReady(false))
			}, []grpc.CallOption{grpc.WaitForReady(true)}, true},
			{"by context, whatever the option", waiting, []grpc.CallOption{grpc.WaitForReady(false)}, true},
			{"not told to", func(ctx context.Context) context.Context { return ctx }, nil, false},
			{"told, and told not to after all", func(ctx context.Context) context.Context {
				return transport.WithCall(waiting(ctx), transport.WaitForReady(false))
			}, nil, false},
		} {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				w := newWorld(t)
				a := start(t, "a")
				a.kill()
				w.announce(a)
				conn := w.dial()
				if _, err := call(within(t), conn, get, ""); !errors.Is(err, transport.ErrNotReady) { // until the connection is known to be refused
					t.Fatalf("error is %v", err)
				}
				ended := make(chan error, 1)
				go func() { ended <- do(tt.ctx(within(t)), conn, tt.opts...) }()
				if tt.waits {
					a.listen(t, a.addr)
				}
				if err := <-ended; (err == nil) != tt.waits {
					t.Errorf("error is %v", err)
				}
			})
		}
	}
}

// A call that waits for what the rules leave hears of other rules, also on a
// channel without interceptors.
func TestRulesWakeWhoWaits(t *testing.T) {
	rules := new(fairleadtest.Rulebook)
	strict := to("v2")
	strict.Strict = true
	rules.Put(policy(strict))
	w := newWorld(t, transport.WithRules(rules))
	b := two(t)[0]
	w.register(discovery.Instance{ID: b.id, Service: "orders", Version: b.id, Addr: b.addr})
	w.obeys(1)
	conn := dial(t, "mesh:///orders", grpc.WithResolvers(fairgrpc.Resolver(w.mesh)), grpc.WithDisableRetry())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := call(ctx, conn, get, "", grpc.WaitForReady(true))
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("the call did not wait: %v", err)
	case <-time.After(time.Second):
	}
	rules.Put(policy(to("v1")))
	if err := <-done; err != nil {
		t.Errorf("nobody told the call: %v", err)
	}
}
