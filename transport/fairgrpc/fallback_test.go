package fairgrpc_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// failing is a policy that says what a caller gets instead of a failure.
func failing(o *rule.OnFailure, tolerance string) rule.Policy {
	p := policy()
	p.Spec.OnFailure, p.Spec.FaultTolerance = o, tolerance
	return p
}

// What a rule gives in the place of a failure, and of what else there is none: what
// a service that works has answered, and what the caller has given up.
func TestRuleFallback(t *testing.T) {
	value := &rule.OnFailure{Value: `"instead"`}
	broken, unknown := status.Error(codes.Internal, "broken"), status.Error(codes.NotFound, "no")
	for _, tt := range []struct {
		name string
		rule rule.Policy
		err  error
		want codes.Code
		out  string
		// of the counts
		fellBack, unanswerable int64
	}{
		{"value for a failure", failing(value, ""), broken, codes.OK, "instead", 1, 0},
		{"value for an overload", failing(value, ""), status.Error(codes.Unavailable, "no"), codes.OK, "instead", 1, 0},
		{"none for an application's answer", failing(value, ""), unknown, codes.NotFound, "", 0, 0},
		{"none for success", failing(value, ""), nil, codes.OK, "fine", 0, 0},
		{"failsafe: nothing", failing(nil, "failsafe"), broken, codes.OK, "", 1, 0},
		{"failsafe: an application's answer", failing(nil, "failsafe"), unknown, codes.NotFound, "", 0, 0},
		{"a value that does not fit", failing(&rule.OnFailure{Value: `{"no": "such field"}`}, ""), broken, codes.Internal, "", 0, 1},
		{"another service cannot be called", failing(&rule.OnFailure{Service: "archive"}, ""), broken, codes.Internal, "", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, "v1")
			a.unary = func(_ context.Context, _, in string) (string, error) { return "fine", tt.err }
			log := new(strings.Builder)
			w := ruled(t, tt.rule, []*backend{a}, transport.WithFallbackServices("archive"), transport.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
			conn := w.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				err := next(ctx, method, req, reply, cc, opts...)
				if err != nil && tt.want == codes.OK {
					setValue(reply, "half an answer")
				}
				return err
			}))
			var ends []error
			out, err := call(within(t), conn, get, "", grpc.OnFinish(func(err error) { ends = append(ends, err) }))
			if status.Code(err) != tt.want || out != tt.out {
				t.Errorf("%q: %v", out, err)
			}
			if d := w.dump(); d.FellBack != tt.fellBack || d.Unanswerable != tt.unanswerable {
				t.Errorf("%d fell back, %d could not", d.FellBack, d.Unanswerable)
			}
			w.mesh.Close(context.Background()) // the log is whole
			if told := strings.Contains(log.String(), "get something else"); told != (tt.fellBack+tt.unanswerable > 0) {
				t.Errorf("the log is %s", log)
			}
			if len(ends) != 1 || status.Code(ends[0]) != tt.want {
				t.Errorf("the end was told as %v", ends)
			}
		})
	}
}

// A value stands in also where nobody could be picked, and where the time was up,
// not for a caller that has left.
func TestRuleFallbackWithoutAnAnswer(t *testing.T) {
	w := ruled(t, failing(&rule.OnFailure{Value: `"instead"`}, ""), nil)
	conn := w.dial()
	if out, err := call(within(t), conn, get, ""); err != nil || out != "instead" {
		t.Errorf("nobody there: %q: %v", out, err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if out, err := call(late, conn, get, ""); err != nil || out != "instead" {
		t.Errorf("no time left: %q: %v", out, err)
	}
	left, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := call(left, conn, get, ""); status.Code(err) != codes.Canceled {
		t.Errorf("nobody asks any more: %v", err)
	}
	_, err := open(within(t), conn, chat)
	if status.Code(err) != codes.Unavailable || !errors.Is(err, balancer.ErrNoInstances) {
		t.Errorf("a stream has no fallback: %v", err)
	}
}

// What code gives in the place of a failure.
func TestWithFallback(t *testing.T) {
	broken := status.Error(codes.Internal, "broken")
	for _, tt := range []struct {
		name  string
		err   error // of the server
		f     fairgrpc.Fallback
		want  codes.Code
		out   string
		asked int64
	}{
		{"a reply", broken, func(_ context.Context, _ string, _, reply any, _ error) error { setValue(reply, "instead"); return nil }, codes.OK, "instead", 1},
		{"the same error", broken, func(_ context.Context, _ string, _, _ any, err error) error { return err }, codes.Internal, "", 1},
		{"another error", broken, func(context.Context, string, any, any, error) error { return status.Error(codes.DataLoss, "worse") }, codes.DataLoss, "", 1},
		{"a panic", broken, func(_ context.Context, _ string, _, reply any, _ error) error {
			setValue(reply, "half an answer")
			panic("no")
		}, codes.Internal, "", 1},
		{"not for success", nil, func(context.Context, string, any, any, error) error { return broken }, codes.OK, "fine", 0},
		{"not for an application's answer", status.Error(codes.NotFound, "no"), func(context.Context, string, any, any, error) error { return nil }, codes.NotFound, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := start(t, "a")
			a.unary = func(context.Context, string, string) (string, error) { return "fine", tt.err }
			w.announce(a)
			var asked atomic.Int64
			options := fairgrpc.DialOptions(w.mesh, fairgrpc.WithFallback(func(ctx context.Context, method string, req, reply any, err error) error {
				asked.Add(1)
				if method != get || req.(*wrapperspb.StringValue).Value != "in" || status.Code(err) != codes.Internal || reply.(*wrapperspb.StringValue).Value != "" {
					t.Errorf("asked about %s(%v) with reply %v: %v", method, req, reply, err)
				}
				return tt.f(ctx, method, req, reply, err)
			}))
			conn := dial(t, "mesh:///orders", options...)
			out, err := call(within(t), conn, get, "in")
			if status.Code(err) != tt.want || out != tt.out || asked.Load() != tt.asked {
				t.Errorf("asked %d times, %q: %v", asked.Load(), out, err)
			}
		})
	}
}

// Code is asked where rules have nothing, for whose time was up, and not for who
// has left.
func TestWithFallbackComesLast(t *testing.T) {
	a := start(t, "v1")
	saying("x", status.Error(codes.Internal, "broken"), a)
	hang("hang", nil, a)
	for name, tt := range map[string]struct {
		rule rule.Policy
		in   string
		want string
	}{
		"rules have something": {failing(&rule.OnFailure{Value: `"rule"`}, ""), "x", "rule"},
		"rules have nothing":   {policy(), "x", "code"},
		"rules cannot":         {failing(&rule.OnFailure{Value: `[]`}, ""), "x", "code"},
		"the time was up":      {bounded(200 * time.Millisecond), "hang", "code"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ruled(t, tt.rule, []*backend{a})
			conn := dial(t, "mesh:///orders", fairgrpc.DialOptions(w.mesh, fairgrpc.WithFallback(func(_ context.Context, _ string, _, reply any, _ error) error {
				setValue(reply, "code")
				return nil
			}))...)
			if out, err := call(within(t), conn, get, tt.in); err != nil || out != tt.want {
				t.Errorf("%q: %v", out, err)
			}
			late, cancel := context.WithTimeout(t.Context(), 0)
			defer cancel()
			if out, err := call(late, conn, get, tt.in); err != nil || out == "" {
				t.Errorf("a caller whose own time was up: %q: %v", out, err)
			}
			left, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := call(left, conn, get, tt.in); status.Code(err) != codes.Canceled {
				t.Errorf("a caller that has left: %v", err)
			}
		})
	}
}

// Row 46: a fallback that panics three times within a minute is not asked any more.
func TestRow46FallbackPanics(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	saying("x", status.Error(codes.Internal, "broken"), a)
	w.announce(a)
	var asked atomic.Int64
	conn := dial(t, "mesh:///orders", fairgrpc.DialOptions(w.mesh, fairgrpc.WithFallback(func(context.Context, string, any, any, error) error {
		asked.Add(1)
		panic("no")
	}))...)
	for range 5 {
		if _, err := call(within(t), conn, get, "x"); status.Code(err) != codes.Internal {
			t.Errorf("the call ended with %v", err)
		}
	}
	if got := asked.Load(); got != 3 {
		t.Errorf("asked %d times", got)
	}
	w.idle()
}
