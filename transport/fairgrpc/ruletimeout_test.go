package fairgrpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// bounded is a policy that gives each call some time.
func bounded(d time.Duration) rule.Policy {
	p := policy(rule.Route{Name: "all"})
	p.Spec.Timeout = rule.Duration(d)
	return p
}

const reason = "the rules of orders give it"

// A rule ends a call whose server hangs, before the header and after it, unless
// the caller's own time is up first.
func TestRuleTimeout(t *testing.T) {
	for _, c := range []struct {
		name         string
		rule, caller time.Duration
		begun        bool // to answer
		byRule       bool
	}{
		{"NoneOfTheCaller", 200 * time.Millisecond, 0, false, true},
		{"LaterOfTheCaller", 200 * time.Millisecond, time.Hour, false, true},
		{"EarlierOfTheCaller", time.Hour, 200 * time.Millisecond, false, false},
		{"AfterTheHeader", 200 * time.Millisecond, time.Hour, true, true},
		{"AfterTheHeaderEarlierOfTheCaller", time.Hour, 200 * time.Millisecond, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "v1")
			b.unary = func(ctx context.Context, _, in string) (string, error) {
				if in == "warm" {
					return "", nil
				}
				if c.begun {
					_ = grpc.SendHeader(ctx, metadata.Pairs("a", "b"))
				}
				<-ctx.Done()
				return "", ctx.Err()
			}
			w := ruled(t, bounded(c.rule), []*backend{b})
			conn := w.dial()
			eventually(t, "the instance is connected", func() bool { _, err := call(within(t), conn, get, "warm"); return err == nil })
			ctx := context.Background()
			if c.caller > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.caller)
				defer cancel()
			}
			before := w.attempts()["timeout"]
			_, err := call(ctx, conn, get, "")
			if e, ok := errors.AsType[*transport.Error](err); !ok || e.Class != transport.Timeout || status.Code(err) != codes.DeadlineExceeded {
				t.Fatalf("the call ended with %v", err)
			}
			if strings.Contains(err.Error(), reason) != c.byRule || c.byRule && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("by rule: %t, the error is %v", c.byRule, err)
			}
			if n := w.attempts()["timeout"]; n != before+1 {
				t.Errorf("the instance is judged by %v", w.attempts())
			}
		})
	}
}

// How long a stream lasts is not a rule's to say.
func TestRuleTimeoutLeavesStreamsAlone(t *testing.T) {
	b := start(t, "v1")
	deadline := make(chan bool, 1)
	b.stream = func(_ string, s grpc.ServerStream) error {
		_, ok := s.Context().Deadline()
		deadline <- ok
		return s.SendMsg(wrapperspb.String("1"))
	}
	w := ruled(t, bounded(time.Hour), []*backend{b})
	s, err := open(t.Context(), w.dial(), watch)
	if err != nil {
		t.Fatal(err)
	}
	out := new(wrapperspb.StringValue)
	if err := s.SendMsg(out); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(out); err != nil || out.Value != "1" {
		t.Errorf("the stream said %q: %v", out.Value, err)
	}
	if <-deadline {
		t.Error("the stream has a deadline")
	}
}

// However a call ends, what bounded its time ends with it.
func TestRuleTimeoutIsReleased(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
		want   codes.Code
	}{
		{"Answer", nil, codes.OK},
		{"ErrorOfTheServer", status.Error(codes.NotFound, "no"), codes.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "v1")
			b.unary = func(context.Context, string, string) (string, error) { return "", c.answer }
			w := ruled(t, bounded(time.Hour), []*backend{b})
			var saw context.Context
			keep := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				saw = ctx
				return invoker(ctx, method, req, reply, cc, opts...)
			}
			conn := w.dial(grpc.WithChainUnaryInterceptor(keep))
			if _, err := call(context.Background(), conn, get, ""); status.Code(err) != c.want {
				t.Fatal(err)
			}
			if _, ok := saw.Deadline(); !ok || !errors.Is(saw.Err(), context.Canceled) {
				t.Errorf("the context of the attempt has a deadline: %t, and has ended with %v", ok, saw.Err())
			}
			if n := b.accepted(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}
