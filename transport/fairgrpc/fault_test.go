package fairgrpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// suffering is a policy whose calls all suffer a fault.
func suffering(f rule.Fault) rule.Policy {
	return policy(rule.Route{Name: "all", Fault: &f})
}

// An abort gives the code that the rule names, of unary calls and streams, and
// nobody is asked for it.
func TestFaultAborts(t *testing.T) {
	for name, want := range map[string]codes.Code{
		"": codes.Unavailable, "CANCELLED": codes.Canceled, "UNKNOWN": codes.Unknown, "INVALID_ARGUMENT": codes.InvalidArgument,
		"DEADLINE_EXCEEDED": codes.DeadlineExceeded, "NOT_FOUND": codes.NotFound, "ALREADY_EXISTS": codes.AlreadyExists,
		"PERMISSION_DENIED": codes.PermissionDenied, "RESOURCE_EXHAUSTED": codes.ResourceExhausted,
		"FAILED_PRECONDITION": codes.FailedPrecondition, "ABORTED": codes.Aborted, "OUT_OF_RANGE": codes.OutOfRange,
		"UNIMPLEMENTED": codes.Unimplemented, "INTERNAL": codes.Internal, "UNAVAILABLE": codes.Unavailable,
		"DATA_LOSS": codes.DataLoss, "UNAUTHENTICATED": codes.Unauthenticated,
	} {
		t.Run(want.String()+name, func(t *testing.T) {
			backends := two(t)
			w := ruled(t, suffering(rule.Fault{Abort: &rule.Abort{GRPCStatus: name, Percent: 100_00}}), backends)
			all := ways(w)
			for _, way := range []string{"Unary", "Stream"} {
				_, err := all[way](within(t))
				if e, ok := errors.AsType[*transport.Error](err); !ok || e.Stage != transport.StageFault || !errors.Is(err, transport.ErrInjected) || status.Code(err) != want {
					t.Errorf("%s: the call ended with %v", way, err)
				}
			}
			if n := backends[0].executed.Load() + backends[1].executed.Load(); n != 0 || w.rules().Aborted != 2 {
				t.Errorf("%d executions, %d aborts are shown", n, w.rules().Aborted)
			}
		})
	}
}

// A delay ends with the caller's deadline, and nobody was asked by then.
func TestFaultDelayEndsWithTheDeadline(t *testing.T) {
	b := start(t, "v1")
	w := ruled(t, suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Minute), Percent: 100_00}}), []*backend{b})
	all := ways(w)
	for n, way := range []string{"Unary", "Stream"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := all[way](ctx)
		cancel()
		if status.Code(err) != codes.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the call ended with %v", way, err)
		}
		if b.executed.Load() != 0 || w.rules().Delayed != int64(n+1) {
			t.Errorf("%s: %d executions, %d delays are shown", way, b.executed.Load(), w.rules().Delayed)
		}
	}
}

// A fault is of calls. What brings a channel its list is none, and suffers
// nothing.
func TestFaultLeavesTheResolverAlone(t *testing.T) {
	w := ruled(t, suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Minute), Percent: 100_00}}), two(t))
	if _, err := ways(w)["UnaryWithoutInterceptors"](within(t)); err != nil || w.rules().Delayed != 0 {
		t.Errorf("%d delays are shown, the call ended with %v", w.rules().Delayed, err)
	}
}

// The caller's cancellation ends a delay as well.
func TestFaultDelayEndsWithTheCall(t *testing.T) {
	w := ruled(t, suffering(rule.Fault{Delay: &rule.Delay{FixedDelay: rule.Duration(time.Minute), Percent: 100_00}}), two(t))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	all := ways(w)
	go func() {
		_, err := all["Unary"](ctx)
		ended <- err
	}()
	eventually(t, "the call is delayed", func() bool { return w.rules().Delayed == 1 })
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the call ended with %v", err)
	}
}
