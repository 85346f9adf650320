package fairgrpc_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// hurried is a policy whose attempts have less time than their calls.
func hurried(d time.Duration, on ...string) rule.Policy {
	p := retrying(3, on...)
	p.Spec.Retries.PerTryTimeout = rule.Duration(d)
	return p
}

const attemptReason = "an attempt to reach orders is given"

// hang makes backends answer in only once the caller has gone, and tells of the
// time that a call has left when it arrives.
func hang(in string, left chan<- time.Duration, backends ...*backend) {
	for _, b := range backends {
		answer := b.unary
		b.unary = func(ctx context.Context, method, got string) (string, error) {
			if got != in {
				return answer(ctx, method, got)
			}
			deadline, ok := ctx.Deadline()
			if left != nil && ok {
				left <- time.Until(deadline)
			}
			<-ctx.Done()
			return "", ctx.Err()
		}
	}
}

// A server that hangs is given up for another, and knows how long it has.
func TestAttemptTimeoutGoesElsewhere(t *testing.T) {
	a, b := start(t, "v1"), start(t, "v2")
	left := make(chan time.Duration, 100)
	hang("x", left, a)
	w := ruled(t, hurried(300*time.Millisecond, "timeout"), []*backend{a, b}, inTurnInAnyCase())
	conn := w.dial()
	warm(t, conn, a, b)
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		out, err := call(ctx, conn, get, "x")
		cancel()
		if err != nil || out != "v2:x" {
			t.Fatalf("%q: %v", out, err)
		}
	}
	if got := w.attempts()["timeout"]; got == 0 || int64(len(left)) != got {
		t.Errorf("attempts are %v, %d arrived at the server that hangs", w.attempts(), len(left))
	}
	for range len(left) {
		if got := <-left; got > 300*time.Millisecond {
			t.Errorf("the server thinks that it has %v", got)
		}
	}
}

// Once no attempt is left the code is DEADLINE_EXCEEDED, and the error says whose
// time was up.
func TestAttemptTimeoutIsTheCause(t *testing.T) {
	for _, tt := range []struct {
		name      string
		on        string
		attempt   time.Duration
		caller    time.Duration // 0: none
		method    string
		want      int64
		byAttempt bool
	}{
		{"all attempts are used", "timeout", 200 * time.Millisecond, 0, get, 3, true},
		{"timeouts are not retried", "reset", 200 * time.Millisecond, 0, get, 1, true},
		{"it may not be executed twice", "timeout", 200 * time.Millisecond, time.Hour, add, 1, true},
		{"the caller has less time", "timeout", time.Hour, 300 * time.Millisecond, get, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := three(t)
			hang("x", nil, all...)
			w := ruled(t, hurried(tt.attempt, tt.on), all)
			var deadlines sync.Map
			conn := w.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				d, _ := ctx.Deadline()
				deadlines.Store(d, true)
				return next(ctx, method, req, reply, cc, opts...)
			}))
			warm(t, conn, all...)
			deadlines.Clear()
			ctx := t.Context()
			if tt.caller > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.caller)
				defer cancel()
			}
			_, err := call(ctx, conn, tt.method, "x")
			own, ok := errors.AsType[*transport.Error](err)
			if got := executions(all...); !ok || own.Class != transport.Timeout || !own.MaybeExecuted || int64(own.Attempts) != tt.want || got != tt.want ||
				status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("executed %d times, want %d: %v", got, tt.want, err)
			}
			if strings.Contains(err.Error(), attemptReason) != tt.byAttempt || tt.byAttempt && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("by the time of the attempt: %t, the error is %v", tt.byAttempt, err)
			}
			if own, _ := ctx.Deadline(); !tt.byAttempt { // nothing was added to it
				if _, ok := deadlines.Load(own); !ok {
					t.Error("the attempt has a deadline of its own")
				}
			}
		})
	}
}

// The time of an attempt is none of a stream's.
func TestAttemptTimeoutLeavesStreamsAlone(t *testing.T) {
	b := start(t, "v1")
	w := ruled(t, hurried(100*time.Millisecond, "timeout"), []*backend{b})
	deadline := make(chan bool, 1)
	b.stream = func(_ string, s grpc.ServerStream) error {
		_, ok := s.Context().Deadline()
		deadline <- ok
		return s.SendMsg(wrapperspb.String("1"))
	}
	s, err := open(t.Context(), w.dial(), chat)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); err != nil {
		t.Error(err)
	}
	if <-deadline {
		t.Error("the stream has a deadline")
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// The wait for a connection is no attempt: who waits has the time of the call for
// it.
func TestAttemptTimeoutIsNotForTheWait(t *testing.T) {
	for _, tt := range []struct {
		name string
		ctx  func(context.Context) context.Context
		opts []grpc.CallOption
	}{
		{"by context", waiting, nil},
		{"by gRPC's option", func(ctx context.Context) context.Context { return ctx }, []grpc.CallOption{grpc.WaitForReady(true)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, "v1")
			w := ruled(t, hurried(100*time.Millisecond, "timeout"), []*backend{a})
			a.kill()
			conn := w.dial()
			_, _ = call(within(t), conn, get, "") // until the connection is known to be refused
			var waits atomic.Int64
			waiter := w.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				waits.Add(1)
				return next(ctx, method, req, reply, cc, opts...)
			}))
			ended := make(chan error, 1)
			go func() {
				_, err := call(tt.ctx(within(t)), waiter, get, "", tt.opts...)
				ended <- err
			}()
			eventually(t, "it waited for more than one attempt's time", func() bool { return waits.Load() > 1 || len(ended) > 0 })
			a.listen(t, a.addr)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
