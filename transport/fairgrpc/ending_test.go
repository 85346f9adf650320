package fairgrpc_test

import (
	"context"
	"slices"
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

// Row 43: a call without the time that it takes is not sent, and nobody is picked
// for it. How long that takes is logged, not asserted.
func TestRow43NoTimeLeft(t *testing.T) {
	a := start(t, "a")
	a.unary = func(_ context.Context, _, in string) (string, error) {
		time.Sleep(10 * time.Millisecond)
		return in, nil
	}
	w := newWorld(t, transport.WithBreaker(rule.PerService, breaker.Config{ConsecutiveFailures: 1}))
	w.announce(a)
	conn := w.dial()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for range 30 { // which makes it known how long it takes
		if _, err := call(ctx, conn, get, ""); err != nil {
			t.Fatal(err)
		}
	}
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	before, attempts, start := a.executed.Load(), w.attempts(), time.Now()
	for name, make := range map[string]func() (context.Context, context.CancelFunc){
		"expired": func() (context.Context, context.CancelFunc) { return expired, func() {} },
		"1 ms left": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), time.Millisecond)
		},
	} {
		var took []time.Duration
		for range 101 {
			ctx, cancel := make()
			began := time.Now()
			_, err := call(ctx, conn, get, "")
			took = append(took, time.Since(began))
			cancel()
			if status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("%s: %v", name, err)
			}
		}
		slices.Sort(took)
		t.Logf("%s: median %v, most %v", name, took[50], took[100])
	}
	// One a second finds out whether the method still takes so long.
	found := 1 + int64(time.Since(start).Seconds())
	if got := a.executed.Load(); got > before+found {
		t.Errorf("%d calls were sent", got-before)
	}
	for outcome, n := range w.attempts() {
		if n != attempts[outcome] && (outcome != "timeout" || n > found) {
			t.Errorf("attempts are %v, before they were %v", w.attempts(), attempts)
		}
	}
	w.idle()
}

// Row 44: a caller that leaves ends the call at the server, blames nobody, and gets
// no other attempt, whatever is retried.
func TestRow44CallerCancels(t *testing.T) {
	all := three(t)
	gone := make(chan error, 1)
	arrived := make(chan struct{})
	for _, b := range all {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if in == "warm" {
				return "", nil
			}
			close(arrived)
			<-ctx.Done()
			gone <- ctx.Err()
			return "", ctx.Err()
		}
	}
	p := retrying(3, "timeout", "reset", "overload", "server-failure", "CANCELLED", "DEADLINE_EXCEEDED")
	p.Spec.CircuitBreaker = breaking("service").Spec.CircuitBreaker
	p.Spec.CircuitBreaker.ConsecutiveFailures = 1
	w := ruled(t, p, all)
	conn := w.dial()
	warm(t, conn, all...)
	ctx, leave := context.WithCancel(within(t))
	go func() { <-arrived; leave() }()
	_, err := call(ctx, conn, get, "")
	if status.Code(err) != codes.Canceled || executions(all...) != 1 {
		t.Errorf("executed %d times: %v", executions(all...), err)
	}
	if err := <-gone; err != context.Canceled {
		t.Errorf("the server saw %v", err)
	}
	w.idle()
	if got := w.attempts(); got["neutral"] != 1 || got["timeout"]+got["failure"]+got["overload"]+got["lost"] != 0 {
		t.Errorf("attempts are %v", got)
	}
	if got := w.dump().Breakers.States["open"]; got != 0 {
		t.Error("the breaker has opened")
	}
}

// Row 45: a stream that its caller has forgotten makes the instance look busy until
// its context ends, and no longer. It says nothing of the instance.
func TestRow45AbandonedStream(t *testing.T) {
	for name, opts := range map[string][]grpc.DialOption{"": nil, "without interceptors": {}} {
		t.Run(name, func(t *testing.T) {
			a := start(t, "v1")
			w := ruled(t, breaking("service"), []*backend{a})
			conn := w.dial()
			if opts != nil {
				conn = dial(t, "mesh:///orders", w.bareOptions()...)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			for range 10 {
				s, err := open(ctx, conn, chat)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.SendMsg(wrapperspb.String("1")); err != nil {
					t.Fatal(err)
				}
				if err := s.RecvMsg(new(wrapperspb.StringValue)); err != nil {
					t.Fatal(err)
				}
				_ = s.CloseSend()
			}
			if got := w.node("v1").Stats.Outstanding; got != 10 && ctx.Err() == nil {
				t.Errorf("%d are outstanding", got)
			}
			<-ctx.Done()
			w.idle()
			if got := w.attempts(); got["timeout"]+got["failure"]+got["lost"] != 0 || w.dump().Breakers.States["open"] != 0 {
				t.Errorf("attempts are %v", got)
			}
		})
	}
}
