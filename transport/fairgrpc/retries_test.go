package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// retrying is a policy that says after what another attempt is made.
func retrying(most int, on ...string) rule.Policy {
	p := policy()
	p.Spec.Retries = rule.Retries{MaxAttempts: most, RetryOn: on, Backoff: rule.Backoff{BaseInterval: rule.Duration(time.Millisecond)}}
	return p
}

// saying makes backends answer in with an error, and return everything else.
func saying(in string, err error, backends ...*backend) {
	for _, b := range backends {
		answer := b.unary
		b.unary = func(ctx context.Context, method, got string) (string, error) {
			if got == in {
				return "", err
			}
			return answer(ctx, method, got)
		}
	}
}

func three(tb testing.TB) []*backend {
	return []*backend{start(tb, "a"), start(tb, "b"), start(tb, "c")}
}

// What a rule makes of an answer: other attempts, where the code or what it says
// of the instance is listed and the call may be executed twice.
func TestRuleRetriesAnswers(t *testing.T) {
	yes, no := true, false
	says := func(c codes.Code) func([]*backend) {
		return func(all []*backend) { saying("x", status.Error(c, "no"), all...) }
	}
	for _, tt := range []struct {
		name       string
		on         []string
		fails      func([]*backend)
		method     string
		idempotent *bool // of the rule
		option     []transport.CallOption
		want       int64
	}{
		{"code listed", []string{"UNAVAILABLE"}, says(codes.Unavailable), get, nil, nil, 3},
		{"code listed, connection lost", []string{"UNAVAILABLE"}, func(all []*backend) { dieFor("x", all...) }, get, nil, nil, 3},
		{"ABORTED listed", []string{"ABORTED"}, says(codes.Aborted), get, nil, nil, 3}, // though it says nothing bad of the instance
		{"ABORTED not listed", []string{"UNAVAILABLE"}, says(codes.Aborted), get, nil, nil, 1},
		{"RESOURCE_EXHAUSTED listed", []string{"RESOURCE_EXHAUSTED"}, says(codes.ResourceExhausted), get, nil, nil, 3},
		{"RESOURCE_EXHAUSTED not listed", []string{"UNAVAILABLE"}, says(codes.ResourceExhausted), get, nil, nil, 1},
		{"overload: UNAVAILABLE", []string{"overload"}, says(codes.Unavailable), get, nil, nil, 3},
		{"overload: RESOURCE_EXHAUSTED", []string{"overload"}, says(codes.ResourceExhausted), get, nil, nil, 3},
		{"overload: not INTERNAL", []string{"overload"}, says(codes.Internal), get, nil, nil, 1},
		{"server-failure: INTERNAL", []string{"server-failure"}, says(codes.Internal), get, nil, nil, 3},
		{"server-failure: the server's own DEADLINE_EXCEEDED", []string{"server-failure"}, says(codes.DeadlineExceeded), get, nil, nil, 3},
		{"timeout: not the server's own DEADLINE_EXCEEDED", []string{"timeout"}, says(codes.DeadlineExceeded), get, nil, nil, 1},
		{"server-failure: not NOT_FOUND", []string{"server-failure", "overload"}, says(codes.NotFound), get, nil, nil, 1},
		{"reset: not UNAVAILABLE", []string{"reset", "connect-failure"}, says(codes.Unavailable), get, nil, nil, 1},

		{"may not be executed twice", []string{"UNAVAILABLE"}, says(codes.Unavailable), add, nil, nil, 1},
		{"the rule says it may", []string{"UNAVAILABLE"}, says(codes.Unavailable), add, &yes, nil, 3},
		{"the rule says it may not, whatever the proto file does", []string{"UNAVAILABLE"}, says(codes.Unavailable), get, &no, nil, 1},
		{"the caller says it may", []string{"UNAVAILABLE"}, says(codes.Unavailable), add, &no, []transport.CallOption{transport.Idempotent(true)}, 3},
		{"the caller says it may not", []string{"UNAVAILABLE"}, says(codes.Unavailable), get, &yes, []transport.CallOption{transport.Idempotent(false)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := three(t)
			tt.fails(all)
			p := retrying(3, tt.on...)
			p.Spec.Idempotent = tt.idempotent
			w := ruled(t, p, all)
			conn := w.dial()
			warm(t, conn, all...)
			_, err := call(transport.WithCall(within(t), tt.option...), conn, tt.method, "x")
			if got := executions(all...); err == nil || got != tt.want {
				t.Errorf("executed %d times, want %d: %v", got, tt.want, err)
			}
			for _, b := range all { // each elsewhere
				if got := b.executed.Load(); got > 1 {
					t.Errorf("%s executed it %d times", b.id, got)
				}
			}
		})
	}
}

// The next attempts succeed: the caller does not notice, servers see the number
// of the attempt, and nothing of the failed ones is left in the reply.
func TestRuleRetriesUntilOneSucceeds(t *testing.T) {
	all := three(t)
	var mu sync.Mutex
	var numbers []string
	for _, b := range all {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if in == "warm" {
				return "", nil
			}
			mu.Lock()
			defer mu.Unlock()
			numbers = append(numbers, strings.Join(incoming(ctx, "grpc-previous-rpc-attempts"), ","))
			if len(numbers) < 3 {
				return "", status.Error(codes.Aborted, "again")
			}
			return "", nil
		}
	}
	w := ruled(t, retrying(3, "ABORTED"), all)
	var attempts int
	conn := w.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if got := reply.(*wrapperspb.StringValue).Value; attempts > 0 && got != "" {
			t.Errorf("attempt %d begins with a reply of %q", attempts+1, got)
		}
		err := next(ctx, method, req, reply, cc, opts...)
		if attempts++; err != nil {
			setValue(reply, "half an answer")
		}
		return err
	}))
	warm(t, conn, all...)
	attempts = 0
	out, err := call(within(t), conn, get, "")
	if err != nil || out != "" || attempts != 3 {
		t.Errorf("after %d attempts the reply is %q: %v", attempts, out, err)
	}
	if got := fmt.Sprintf("%q", numbers); got != `["" "1" "2"]` {
		t.Errorf("attempts were numbered %s", got)
	}
}

// What a server says of when to try again is obeyed (gRFC A6), and how often is for
// the rules to say.
func TestPushback(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pushback []string
		timeout  time.Duration
		want     int64
		atLeast  time.Duration
		cause    error
	}{
		{"a time: waited for", []string{"1200"}, limit, 2, 1200 * time.Millisecond, nil},
		{"none: at once", []string{"0"}, limit, 2, 0, nil},
		{"negative: never", []string{"-1"}, limit, 1, 0, nil},
		{"garbage: never", []string{"soon"}, limit, 1, 0, nil},
		{"empty: never", []string{""}, limit, 1, 0, nil},
		{"twice: never", []string{"1", "1"}, limit, 1, 0, nil},
		{"beyond all measure: never", []string{"99999999999999999999"}, limit, 1, 0, nil},
		{"longer than anybody waits", []string{"60000"}, limit, 1, 0, nil},
		{"longer than the call has time", []string{"9000"}, 5 * time.Second, 1, 0, transport.ErrNoTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := three(t)
			for _, b := range all {
				b.unary = func(ctx context.Context, _, in string) (string, error) {
					if in == "warm" {
						return "", nil
					}
					for _, v := range tt.pushback {
						_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", v))
					}
					return "", status.Error(codes.Unavailable, "later")
				}
			}
			w := ruled(t, retrying(2, "UNAVAILABLE"), all)
			conn := w.dial()
			warm(t, conn, all...)
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			began := time.Now()
			_, err := call(ctx, conn, get, "")
			took := time.Since(began)
			if got := executions(all...); got != tt.want || status.Code(err) != codes.Unavailable || ctx.Err() != nil {
				t.Errorf("executed %d times, want %d: %v", got, tt.want, err)
			}
			if took < tt.atLeast {
				t.Errorf("the next attempt came after %v", took)
			}
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("error does not say why: %v", err)
			}
		})
	}
}

// Attempts are counted at the servers: as many as the rule says, neither
// multiplied by retries of gRPC's, which a service config of the user's asks for
// (G11), nor lessened by gRPC's transparent ones.
func TestG11AttemptsAreCountedOnce(t *testing.T) {
	const own = `{"loadBalancingConfig": [{"fairlead": {}}], "methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 5, "initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`
	for _, most := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			all := three(t)
			saying("x", status.Error(codes.Unavailable, "no"), all...)
			w := ruled(t, retrying(most, "UNAVAILABLE"), all)
			conn := w.dial(grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig(own))
			warm(t, conn, all...)
			_, err := call(within(t), conn, get, "x")
			if got := executions(all...); got != int64(most) || status.Code(err) != codes.Unavailable {
				t.Errorf("executed %d times: %v", got, err)
			}
		})
	}
}

// What gRPC sends again by itself, since a server refused it, is no attempt of
// ours: all of those are left.
func TestG11TransparentRetriesDoNotEatAttempts(t *testing.T) {
	r, good := refuse(t), start(t, "good")
	saying("x", status.Error(codes.Unavailable, "no"), good)
	w := ruled(t, retrying(2, "UNAVAILABLE"), []*backend{good}, inTurnInAnyCase())
	conn := w.dial()
	warm(t, conn, good)
	w.announce(&backend{id: "refuser", addr: r.addr})
	r.connected(t, conn)
	var seen int64
	eventually(t, "a call that was refused first has its second attempt", func() bool {
		good.executed.Store(0)
		refused := r.refused.Load()
		_, _ = call(within(t), conn, get, "x")
		if n := good.executed.Load(); r.refused.Load() > refused {
			seen = max(seen, n)
		}
		return seen > 1
	})
	if seen > 2 {
		t.Errorf("executed %d times", seen)
	}
}

// A caller that leaves in the wait between two attempts is told that it has left.
func TestCallerLeavesBetweenAttempts(t *testing.T) {
	all := three(t)
	ctx, leave := context.WithCancel(within(t))
	defer leave()
	for _, b := range all {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if in == "warm" {
				return "", nil
			}
			_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "9000"))
			return "", status.Error(codes.Unavailable, "later")
		}
	}
	w := ruled(t, retrying(3, "UNAVAILABLE"), all)
	conn := w.dial()
	warm(t, conn, all...)
	ended := make(chan error, 1)
	go func() {
		_, err := call(ctx, conn, get, "")
		ended <- err
	}()
	eventually(t, "the first attempt has ended", func() bool { return w.attempts()["overload"] == 1 })
	leave()
	err := <-ended
	if own, ok := errors.AsType[*transport.Error](err); !ok || !own.MaybeExecuted || status.Code(err) != codes.Canceled || !errors.Is(err, context.Canceled) || executions(all...) != 1 {
		t.Errorf("executed %d times: %v", executions(all...), err)
	}
}

// An error says why there was no other attempt, and keeps the code it has without
// that.
func TestSpentBudgetKeepsTheCode(t *testing.T) {
	for _, tt := range []struct {
		name string
		on   string
		fail func(...*backend)
		want codes.Code
	}{
		{"answered", "UNAVAILABLE", func(all ...*backend) { saying("x", status.Error(codes.Unavailable, "no"), all...) }, codes.Unavailable},
		{"answered by a fault", "server-failure", func(all ...*backend) { saying("x", status.Error(codes.DataLoss, "no"), all...) }, codes.DataLoss},
		{"lost", "reset", func(all ...*backend) { dieFor("x", all...) }, codes.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := three(t)
			tt.fail(all...)
			p := retrying(2, tt.on)
			p.Spec.Retries.Budget = rule.Budget{Ratio: 1, MinPerSecond: 1}
			w := ruled(t, p, all)
			conn := w.dial()
			warm(t, conn, all...)
			var err error
			eventually(t, "the budget is spent", func() bool {
				_, err = call(within(t), conn, get, "x")
				return errors.Is(err, retry.ErrBudgetSpent) || errors.Is(err, retry.ErrSharedBudgetSpent)
			})
			if status.Code(err) != tt.want {
				t.Errorf("code is %v: %v", status.Code(err), err)
			}
		})
	}
}
