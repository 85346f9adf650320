package fairgrpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/breaker"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// breaking is a policy whose breakers open after three failures in a row, for good.
func breaking(scope string) rule.Policy {
	p := policy()
	p.Spec.CircuitBreaker = &rule.CircuitBreaker{Scope: scope, ConsecutiveFailures: 3, OpenFor: rule.Duration(10 * time.Minute)}
	return p
}

// An open breaker of the service or of the method ends calls at once with
// UNAVAILABLE, also those that wait until ready: nothing that they could wait for
// would mend it. What a call has to wait for is not what another has: other
// methods go on.
func TestOpenBreakerEndsCalls(t *testing.T) {
	for _, scope := range []string{"service", "method"} {
		t.Run(scope, func(t *testing.T) {
			all := three(t)
			saying("x", status.Error(codes.Internal, "broken"), all...)
			w := ruled(t, breaking(scope), all)
			conn := w.dial()
			bare := dial(t, "mesh:///orders", w.bareOptions()...)
			warm(t, conn, all...)
			warm(t, bare, all...)
			for range 3 {
				_, _ = call(within(t), conn, replace, "x")
			}
			before := executions(all...)
			for name, do := range map[string]func(context.Context, ...grpc.CallOption) error{
				"unary": func(ctx context.Context, opts ...grpc.CallOption) error {
					_, err := call(ctx, conn, replace, "y", opts...)
					return err
				},
				"unary without interceptors": func(ctx context.Context, opts ...grpc.CallOption) error {
					_, err := call(ctx, bare, replace, "y", opts...)
					return err
				},
				"stream": func(ctx context.Context, opts ...grpc.CallOption) error {
					_, err := conn.NewStream(ctx, &grpc.StreamDesc{}, replace, opts...)
					return err
				},
			} {
				for _, wait := range []bool{false, true} {
					ctx := within(t)
					err := do(transport.WithCall(ctx, transport.WaitForReady(wait)), grpc.WaitForReady(wait))
					if status.Code(err) != codes.Unavailable || ctx.Err() != nil {
						t.Errorf("%s, waits: %t: %v", name, wait, err)
					}
					own, ok := errors.AsType[*transport.Error](err)
					if !ok || own.Stage != transport.StageBreaker || !errors.Is(err, breaker.ErrOpen) || own.MaybeExecuted {
						t.Errorf("%s, waits: %t: error is %#v (%v)", name, wait, own, err)
					}
				}
			}
			if got := executions(all...); got != before {
				t.Errorf("%d calls arrived", got-before)
			}
			if rejected := w.dump().Breakers.Rejected; rejected != 6 {
				t.Errorf("%d rejections are counted, 6 there were", rejected)
			}
			_, err := call(within(t), conn, get, "y")
			if (err == nil) != (scope == "method") {
				t.Errorf("another method: %v", err)
			}
			if got := w.attempts()["failure"]; got != 3 { // trap 25: own rejections are no failures
				t.Errorf("attempts are %v", w.attempts())
			}
			w.idle()
		})
	}
}

// A breaker that opens between two attempts of a call ends it. What the server said
// is better than that nobody was asked again, and is what the caller gets.
func TestBreakerOpensBetweenAttempts(t *testing.T) {
	all := three(t)
	saying("x", status.Error(codes.Internal, "broken"), all...)
	p := breaking("service")
	p.Spec.Retries = retrying(5, "server-failure").Spec.Retries
	w := ruled(t, p, all)
	conn := w.dial()
	warm(t, conn, all...)
	_, err := call(within(t), conn, get, "x")
	if !errors.Is(err, breaker.ErrOpen) || status.Code(err) != codes.Internal || executions(all...) != 3 {
		t.Errorf("executed %d times: %v", executions(all...), err)
	}
}

// An instance whose breaker is open is gone past; one that is not ready does not
// take its place.
func TestInstanceBreakerGoesPast(t *testing.T) {
	a, b, gone := start(t, "v1"), start(t, "v2"), start(t, "v3")
	saying("x", status.Error(codes.Internal, "broken"), a)
	w := ruled(t, breaking("instance"), []*backend{a, b, gone}, inTurnInAnyCase())
	gone.kill()
	conn := w.dial()
	warm(t, conn, a, b)
	eventually(t, "its breaker is open", func() bool {
		_, _ = call(within(t), conn, get, "x")
		return w.dump().Breakers.States["open"] == 1
	})
	a.executed.Store(0)
	for range 20 {
		if _, err := call(within(t), conn, add, "y"); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.executed.Load(); got != 0 {
		t.Errorf("%d of 20 calls went to it", got)
	}
	w.idle()
}

// A stream's length is no slowness, and it ends its ticket at its true end (trap
// 27): as half-open probe it closes the breaker only then.
func TestBreakerAndStreams(t *testing.T) {
	a := start(t, "v1")
	saying("x", status.Error(codes.Internal, "broken"), a)
	p := breaking("service")
	p.Spec.CircuitBreaker.OpenFor = rule.Duration(time.Second)
	p.Spec.CircuitBreaker.ProbeTimeout = rule.Duration(time.Minute)
	p.Spec.CircuitBreaker.SlowCallDuration = rule.Duration(time.Millisecond)
	p.Spec.CircuitBreaker.MinRequests = 10_000
	w := ruled(t, p, []*backend{a})
	conn := w.dial()
	warm(t, conn, a)
	for range 3 {
		_, _ = call(within(t), conn, get, "x")
	}
	var s grpc.ClientStream
	eventually(t, "a stream is let through", func() (ok bool) {
		var err error
		s, err = open(within(t), conn, chat)
		return err == nil
	})
	if err := s.SendMsg(wrapperspb.String("z")); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); err != nil {
		t.Fatal(err)
	}
	_ = s.CloseSend()
	if _, err := call(within(t), conn, get, "y"); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("while the stream is the probe: %v", err)
	}
	time.Sleep(10 * time.Millisecond) // so that it would be slow
	_ = s.RecvMsg(new(wrapperspb.StringValue))
	eventually(t, "the breaker is closed", func() bool { return w.dump().Breakers.States["closed"] == 1 })
	mustCall(t, conn, get, "y")
}
