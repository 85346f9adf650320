package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
)

// dieFor makes a backend reset its connections where it is asked for in.
func dieFor(in string, backends ...*backend) {
	for _, b := range backends {
		answer := b.unary
		b.unary = func(ctx context.Context, method, got string) (string, error) {
			if got == in {
				b.cut()
				<-ctx.Done()
				return "", ctx.Err()
			}
			return answer(ctx, method, got)
		}
	}
}

func executions(backends ...*backend) (sum int64) {
	for _, b := range backends {
		sum += b.executed.Load()
	}
	return sum
}

// What is executed again when every connection is lost before an answer: what
// the proto file or the caller says may be.
func TestIdempotency(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		option []transport.CallOption
		want   int64
	}{
		{"nothing said: once", add, nil, 1},
		{"proto says NO_SIDE_EFFECTS: again", get, nil, 3},
		{"proto says IDEMPOTENT: again", replace, nil, 3},
		{"caller says idempotent: again", add, []transport.CallOption{transport.Idempotent(true)}, 3},
		{"caller says not idempotent: once, whatever the proto says", get, []transport.CallOption{transport.Idempotent(false)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			all := []*backend{start(t, "a"), start(t, "b"), start(t, "c")}
			dieFor("die", all...)
			w.announce(all...)
			conn := w.dial()
			warm(t, conn, all...)

			_, err := call(transport.WithCall(within(t), tt.option...), conn, tt.method, "die")
			own, ok := errors.AsType[*transport.Error](err)
			if status.Code(err) != codes.Unavailable || !ok || !own.MaybeExecuted || int64(own.Attempts) != tt.want || own.Instance == "" {
				t.Errorf("error is %#v (%v)", own, err)
			}
			if got := executions(all...); got != tt.want {
				t.Errorf("executed %d times, want %d", got, tt.want)
			}
		})
	}
}

// Trap 32, retry to the same node: with as many attempts as instances, each
// instance gets one.
func TestTrap32RetryGoesToAnotherInstance(t *testing.T) {
	w := newWorld(t, transport.WithPolicy(balancer.Random{}))
	all := []*backend{start(t, "a"), start(t, "b"), start(t, "c")}
	dieFor("die", all...)
	w.announce(all...)
	conn := w.dial()
	for range 5 {
		warm(t, conn, all...)
		_, _ = call(within(t), conn, get, "die")
		for _, b := range all {
			if got := b.executed.Load(); got != 1 {
				t.Fatalf("instance %s executed the call %d times", b.id, got)
			}
		}
	}
}

// G11, one layer of retries: gRPC's own, which would multiply ours to twelve
// executions, stays off even where a service config asks for it.
func TestG11ServiceConfigRetriesDoNotMultiplyOurs(t *testing.T) {
	w := newWorld(t)
	all := []*backend{start(t, "a"), start(t, "b"), start(t, "c")}
	dieFor("die", all...)
	w.announce(all...)
	conn := w.dial(grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig(`{
		"loadBalancingConfig": [{"fairlead": {}}],
		"methodConfig": [{"name": [{}], "waitForReady": true, "retryPolicy": {
			"maxAttempts": 4, "initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1,
			"retryableStatusCodes": ["UNAVAILABLE"]}}]}`))
	warm(t, conn, all...)
	_, err := call(within(t), conn, get, "die")
	if got := executions(all...); status.Code(err) != codes.Unavailable || got != 3 {
		t.Errorf("executed %d times, want 3: %v", got, err)
	}
}

// G11, transparent retries: what a server surely did not process is sent again
// by gRPC itself, through our picker. That pick is in the call's ledger, so it
// goes to another instance; gRPC would not try a third time.
func TestG11TransparentRetriesAreInTheLedger(t *testing.T) {
	w := newWorld(t, inTurnInAnyCase())
	refusers := []*refuser{refuse(t), refuse(t)}
	good := start(t, "good")
	w.announce(good)
	conn := w.dial()
	warm(t, conn, good)
	w.announce(&backend{id: "refuser0", addr: refusers[0].addr})
	refusers[0].connected(t, conn)
	good.executed.Store(0)

	const calls = 40
	for i := range calls {
		if _, err := call(within(t), conn, add, fmt.Sprint(i)); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	refused := refusers[0].refused.Load()
	if got := good.executed.Load(); got != calls || refused < calls/4 {
		t.Errorf("executed %d of %d calls, %d were refused first", got, calls, refused)
	}
	if got := w.attempts()["lost"]; got != refused {
		t.Errorf("%d attempts counted as lost, %d were refused", got, refused)
	}

	// With two refusers both of gRPC's tries can end badly. A method that may
	// be executed twice then gets its next attempt from us, and the ledger
	// holds the picks of both.
	w.announce(&backend{id: "refuser1", addr: refusers[1].addr})
	refusers[1].connected(t, conn)
	for i := range calls {
		if _, err := call(within(t), conn, get, fmt.Sprint(i)); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

// G12, committed: what a server has answered is its answer, also UNAVAILABLE
// and with a push-back: it is not tried elsewhere without a rule that says so.
func TestG12AnAnswerIsFinal(t *testing.T) {
	for _, pushback := range []string{"", "0", "-1", "nonsense"} {
		t.Run("pushback="+pushback, func(t *testing.T) {
			w := newWorld(t)
			a, b := start(t, "a"), start(t, "b")
			unavailable := func(ctx context.Context, _, _ string) (string, error) {
				if pushback != "" {
					_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", pushback))
				}
				return "", status.Error(codes.Unavailable, "come back later")
			}
			a.unary, b.unary = unavailable, unavailable
			w.announce(a, b)
			conn := w.dial()
			_, err := call(within(t), conn, get, "", grpc.WaitForReady(true))
			if got := executions(a, b); got != 1 || status.Code(err) != codes.Unavailable {
				t.Errorf("executed %d times: %v", got, err)
			}
		})
	}
}

// G14, errors: what the server said is passed on to the letter.
func TestG14ServerStatusIsPassedOnUnchanged(t *testing.T) {
	w := newWorld(t)
	said := make(map[codes.Code]*status.Status)
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		s, err := status.New(c, "said "+c.String()).WithDetails(wrapperspb.String("detail"))
		if err != nil {
			t.Fatal(err)
		}
		said[c] = s
	}
	a := start(t, "a")
	a.unary = func(_ context.Context, _, in string) (string, error) {
		for c, s := range said {
			if c.String() == in {
				return "", s.Err()
			}
		}
		return in, nil
	}
	w.announce(a)
	conn := w.dial()
	want := map[string]int64{
		"neutral": 1, "success": 9, "failure": 4, "overload": 2, "timeout": 0, "lost": 0,
	}
	for c, s := range said {
		_, err := call(within(t), conn, get, c.String())
		if !proto.Equal(status.Convert(err).Proto(), s.Proto()) {
			t.Errorf("%v: got %v", c, err)
		}
		if _, own := errors.AsType[*transport.Error](err); own {
			t.Errorf("%v: the server's answer is wrapped: %v", c, err)
		}
	}
	for outcome, n := range want { // G18, over the wire
		if got := w.attempts()[outcome]; got != n {
			t.Errorf("%d attempts ended in %s, want %d", got, outcome, n)
		}
	}
}

// G14, errors: ours have a status and say what happened.
func TestG14OwnErrorsHaveAStatusAndACause(t *testing.T) {
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name     string
		ctx      context.Context
		backends int
		want     codes.Code
		stage    transport.Stage
		class    transport.Class
		cause    error
	}{
		{"nobody to call", t.Context(), 0, codes.Unavailable, transport.StagePick, transport.Neutral, balancer.ErrNoInstances},
		{"no time left", expired, 1, codes.DeadlineExceeded, transport.StageSend, transport.Timeout, context.DeadlineExceeded},
		{"cancelled before", cancelled, 1, codes.Canceled, transport.StageSend, transport.Neutral, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			for i := range tt.backends {
				w.announce(start(t, fmt.Sprint(i)))
			}
			conn := w.dial()
			_, _ = call(within(t), conn, get, "") // the list is known from here on
			_, err := call(tt.ctx, conn, get, "")
			own, ok := errors.AsType[*transport.Error](err)
			if !ok || status.Code(err) != tt.want || own.Stage != tt.stage || own.Class != tt.class || !errors.Is(err, tt.cause) {
				t.Fatalf("error is %#v (%v)", own, err)
			}
			if msg := status.Convert(err).Message(); !strings.Contains(msg, "orders") || !strings.Contains(msg, get) {
				t.Errorf("message does not name service and method: %q", msg)
			}
		})
	}
}

// The caller's deadline and cancellation end the call, reach the server, and
// say of the instance what they should.
func TestDeadlineAndCancellation(t *testing.T) {
	for _, tt := range []struct {
		name    string
		end     func(context.Context) (context.Context, context.CancelFunc)
		want    codes.Code
		outcome string
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, codes.DeadlineExceeded, "timeout"},
		{"cancellation", context.WithCancel, codes.Canceled, "neutral"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := start(t, "a")
			w.announce(a)
			conn := w.dial()
			mustCall(t, conn, get, "")
			ctx, end := tt.end(within(t))
			seen, answer := make(chan bool, 1), make(chan struct{})
			a.unary = func(server context.Context, _, _ string) (string, error) {
				_, limited := server.Deadline()
				if tt.want == codes.Canceled {
					end()
				}
				<-server.Done()
				seen <- limited
				<-answer
				return "", server.Err()
			}
			_, err := call(ctx, conn, get, "")
			close(answer)
			if own, ok := errors.AsType[*transport.Error](err); !ok || status.Code(err) != tt.want || own.Instance != "a" {
				t.Errorf("error is %v", err)
			}
			if !<-seen {
				t.Error("the deadline did not reach the server")
			}
			if got := w.attempts()[tt.outcome]; got != 1 {
				t.Errorf("attempts are %v, want one %s", w.attempts(), tt.outcome)
			}
			end()
		})
	}
}

// G14, the reply: what a failed attempt wrote into it is gone before the next.
func TestG14ReplyIsClearedBeforeAnotherAttempt(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	dieFor("die", a, b)
	w.announce(a, b)
	var attempts int
	conn := w.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if attempts++; attempts == 1 {
			reply.(*wrapperspb.StringValue).Value = "half an answer"
		}
		return next(ctx, method, req, reply, cc, opts...)
	}))
	attempts = 2
	warm(t, conn, a, b)
	attempts = 0
	out, err := call(within(t), conn, get, "die")
	if err == nil || out != "" || attempts < 2 {
		t.Errorf("after %d attempts the reply holds %q: %v", attempts, out, err)
	}
}

// G15: call options that point to something are filled by the last attempt
// only, and the end of a call is told once.
func TestG15CallOptionsBelongToTheLastAttempt(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	var first atomic.Pointer[backend]
	for _, b := range []*backend{a, b} {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if in == "warm" {
				return "", nil
			}
			_ = grpc.SetHeader(ctx, metadata.Pairs("instance", b.id))
			_ = grpc.SetTrailer(ctx, metadata.Pairs("instance", b.id))
			if first.CompareAndSwap(nil, b) {
				b.cut()
				<-ctx.Done()
			}
			return b.id, nil
		}
	}
	w.announce(a, b)
	conn := w.dial()
	warm(t, conn, a, b)

	var header, trailer metadata.MD
	var from peer.Peer
	var ends []error
	out, err := call(within(t), conn, get, "", grpc.Header(&header), grpc.OnFinish(func(err error) { ends = append(ends, err) }),
		grpc.Trailer(&trailer), grpc.Peer(&from))
	if err != nil {
		t.Fatal(err)
	}
	other := a
	if first.Load() == a {
		other = b
	}
	if out != other.id || !slices.Equal(header.Get("instance"), []string{other.id}) || !slices.Equal(trailer.Get("instance"), []string{other.id}) {
		t.Errorf("answered by %q, header %v, trailer %v, want all of %s", out, header, trailer, other.id)
	}
	if from.Addr.String() != other.addr {
		t.Errorf("peer is %v, want %v", from.Addr, other.addr)
	}
	if len(ends) != 1 || ends[0] != nil {
		t.Errorf("the end of the call was told as %v, want once, without an error", ends)
	}
}

// G12 and G24: the caller's metadata arrives as it is, on every attempt; the
// number of the attempt is added from the second on.
func TestG24MetadataArrivesOnEveryAttempt(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	var mu sync.Mutex
	var seen, numbers []string
	for _, b := range []*backend{a, b} {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if in == "warm" {
				return "", nil
			}
			mu.Lock()
			seen = append(seen, fmt.Sprint(incoming(ctx, "user"), incoming(ctx, "trace-bin")))
			numbers = append(numbers, strings.Join(incoming(ctx, "grpc-previous-rpc-attempts"), ","))
			last := len(seen) == 2
			mu.Unlock()
			if !last {
				b.cut()
				<-ctx.Done()
			}
			return "", nil
		}
	}
	w.announce(a, b)
	conn := w.dial()
	warm(t, conn, a, b)
	ctx := metadata.AppendToOutgoingContext(within(t), "user", "ann", "user", "bob", "trace-bin", "\x00\x01")
	if _, err := call(ctx, conn, get, ""); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint([]string{"ann", "bob"}, []string{"\x00\x01"}); !slices.Equal(seen, []string{want, want}) {
		t.Errorf("attempts came with %q", seen)
	}
	if !slices.Equal(numbers, []string{"", "1"}) {
		t.Errorf("attempts were numbered %q", numbers)
	}
}

// G24: metadata that cannot be sent fails the call, not an instance.
func TestG24BadMetadataIsNobodysFault(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	w.announce(a)
	conn := w.dial()
	mustCall(t, conn, get, "")
	_, err := call(metadata.AppendToOutgoingContext(within(t), "user", "\x00"), conn, get, "")
	if status.Code(err) != codes.Internal || a.executed.Load() != 1 || w.attempts()["success"] != 1 || w.attempts()["failure"] != 0 {
		t.Errorf("attempts %v: %v", w.attempts(), err)
	}
}

// badCreds are credentials that cannot be had.
type badCreds struct{}

func (badCreds) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return nil, status.Error(codes.Unauthenticated, "no token")
}
func (badCreds) RequireTransportSecurity() bool { return false }

// G23: credentials of the call that fail keep their status and blame nobody.
func TestG23FailingCredentialsAreNobodysFault(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	w.announce(a)
	conn := w.dial()
	_, err := call(within(t), conn, get, "", grpc.PerRPCCredentials(badCreds{}))
	if status.Code(err) != codes.Unauthenticated || a.executed.Load() != 0 || w.attempts()["neutral"] != 1 || w.node("a").Stats.Failing != 0 {
		t.Errorf("attempts %v: %v", w.attempts(), err)
	}
}

// One of three instances dies with calls in flight. Calls that may be executed
// twice do not notice; the others are executed at most once, those that fail
// among them.
func TestInstanceDiesUnderLoad(t *testing.T) {
	for _, tt := range []struct {
		method   string
		mayFail  bool
		mostRuns int
	}{
		{get, false, 2},
		{add, true, 1},
	} {
		t.Run(tt.method, func(t *testing.T) {
			w := newWorld(t, transport.WithPolicy(balancer.RoundRobin{}))
			all := []*backend{start(t, "a"), start(t, "b"), start(t, "c")}
			var mu sync.Mutex
			runs := map[string]int{}
			var held atomic.Int64
			dying := all[0]
			for _, b := range all {
				b.unary = func(ctx context.Context, _, in string) (string, error) {
					if in == "warm" {
						return "", nil
					}
					mu.Lock()
					runs[in]++
					mu.Unlock()
					if b == dying {
						held.Add(1)
						<-ctx.Done()
						return "", ctx.Err()
					}
					return in, nil
				}
			}
			w.announce(all...)
			conn := w.dial()
			warm(t, conn, all...)

			var load sync.WaitGroup
			var calls, failed atomic.Int64
			stop := make(chan struct{})
			end := sync.OnceFunc(func() { close(stop); load.Wait() })
			defer end()
			const workers = 8
			for worker := range workers {
				load.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						in := fmt.Sprintf("%d-%d", worker, i)
						out, err := call(within(t), conn, tt.method, in)
						calls.Add(1)
						if err != nil {
							failed.Add(1)
							if own, ok := errors.AsType[*transport.Error](err); !ok || !own.MaybeExecuted || own.Instance != "a" {
								t.Errorf("%s: %v", in, err)
							}
						} else if out != in {
							t.Errorf("%s: answered %q", in, out)
						}
					}
				})
			}
			eventually(t, "calls are in flight at the instance", func() bool { return held.Load() >= 3 })
			dying.kill()
			after := calls.Load() + 300
			eventually(t, "calls go on", func() bool { return calls.Load() > after })
			end()

			if got := failed.Load(); got > workers || got > 0 && !tt.mayFail {
				t.Errorf("%d of %d calls failed, at most %d were in flight", got, calls.Load(), workers)
			}
			for in, n := range runs {
				if n > tt.mostRuns {
					t.Errorf("call %s was executed %d times", in, n)
				}
			}
		})
	}
}

// G21: servers that end their connections politely, by GOAWAY, cost no call,
// whatever the method.
func TestG21ConnectionAgeUnderLoad(t *testing.T) {
	w := newWorld(t)
	polite := grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 100 * time.Millisecond, MaxConnectionAgeGrace: time.Minute})
	a, b := start(t, "a", polite), start(t, "b", polite)
	w.announce(a, b)
	conn := w.dial()
	var load sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop); load.Wait() })
	defer end()
	var calls atomic.Int64
	for range 8 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := call(within(t), conn, add, ""); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	eventually(t, "connections were replaced", func() bool { return a.accepted() >= 5 && b.accepted() >= 5 })
	end()
	if calls.Load() < 100 {
		t.Errorf("only %d calls were made", calls.Load())
	}
}

// Clients of other targets are not touched by the dial options.
func TestOtherTargetsPassUntouched(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	conn := dial(t, "passthrough:///"+a.addr, append(w.dialOptions(), grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig("{}"))...)
	mustCall(t, conn, get, "")
	s, err := open(within(t), conn, chat)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.CloseSend()
	if err := s.RecvMsg(new(wrapperspb.StringValue)); err == nil {
		t.Error("the stream did not end")
	}
	if d := w.mesh.Dump(); len(d.Services) != 0 {
		t.Errorf("the mesh was asked for %v", d.Services)
	}
}
