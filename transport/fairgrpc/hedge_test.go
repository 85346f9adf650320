package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
)

// hedging is a policy that sends each call a second time, if it takes long.
func hedging(after time.Duration) rule.Policy {
	yes := true
	p := policy()
	p.Spec.Idempotent = &yes
	p.Spec.Hedge = &rule.Hedge{Delay: rule.Duration(after), MaxExtra: 100_00}
	return p
}

// pair is two backends of which the one that is called first is slow: it answers
// "x" once its call was given up, or as slow says.
type pair struct {
	a, b  *backend
	first atomic.Pointer[backend]
	gone  chan error // why the call at the slow one ended
	slow  func(ctx context.Context) (string, error)
	fast  func(ctx context.Context) (string, error)
}

func newPair(t *testing.T) *pair {
	p := &pair{a: start(t, "v1"), b: start(t, "v2"), gone: make(chan error, 10)}
	for _, b := range []*backend{p.a, p.b} {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if !strings.HasPrefix(in, "x") {
				return in, nil
			}
			_ = grpc.SetHeader(ctx, metadata.Pairs("instance", b.id))
			_ = grpc.SetTrailer(ctx, metadata.Pairs("instance", b.id))
			if p.first.CompareAndSwap(nil, b) {
				if p.slow != nil {
					return p.slow(ctx)
				}
				<-ctx.Done()
				p.gone <- ctx.Err()
				return "", ctx.Err()
			}
			if p.fast != nil {
				return p.fast(ctx)
			}
			return b.id, nil
		}
	}
	return p
}

func (p *pair) all() []*backend { return []*backend{p.a, p.b} }

// other is the one that was called second.
func (p *pair) other() *backend {
	if p.first.Load() == p.a {
		return p.b
	}
	return p.a
}

func (w *world) dump() transport.ServiceDump { return w.mesh.Dump().Services[0] }

// idle waits until no call is outstanding at any instance.
func (w *world) idle() {
	w.tb.Helper()
	eventually(w.tb, "nothing is outstanding", func() bool {
		return !slices.ContainsFunc(w.dump().Instances, func(n transport.NodeDump) bool { return n.Stats.Outstanding != 0 })
	})
}

// Trap 32: the second attempt has a reply and targets of options of its own, and
// what it obtained is handed over once it has won. The loser is cancelled, and
// nobody is blamed.
func TestTrap32SecondAttemptWins(t *testing.T) {
	p := newPair(t)
	w := ruled(t, hedging(20*time.Millisecond), p.all())
	var creds counted
	var attempts atomic.Int64
	conn := w.dial(grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		attempts.Add(1) // of each attempt
		return next(metadata.AppendToOutgoingContext(ctx, "below", "yes"), method, req, reply, cc, opts...)
	}))
	warm(t, conn, p.all()...)
	w.idle()
	neutral := w.attempts()["neutral"] // of calls that were slow to warm up
	p.fast = func(ctx context.Context) (string, error) {
		return fmt.Sprint(p.other().id, incoming(ctx, "user"), incoming(ctx, "below"), incoming(ctx, "token"), incoming(ctx, "grpc-previous-rpc-attempts")), nil
	}
	attempts.Store(0)
	var header, trailer metadata.MD
	var from peer.Peer
	var ends []error
	ctx := metadata.AppendToOutgoingContext(within(t), "user", "ann")
	out, err := call(ctx, conn, get, "x", grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from),
		grpc.OnFinish(func(err error) { ends = append(ends, err) }), grpc.PerRPCCredentials(&creds))
	won := p.other()
	if want := fmt.Sprint(won.id, []string{"ann"}, []string{"yes"}, []string{"secret"}, []string{"1"}); err != nil || out != want {
		t.Errorf("answer is %q, want %q: %v", out, want, err)
	}
	if got := fmt.Sprint(header.Get("instance"), trailer.Get("instance")); got != fmt.Sprintf("[%[1]s] [%[1]s]", won.id) {
		t.Errorf("header and trailer are %s, want those of %s", got, won.id)
	}
	if from.Addr == nil || from.Addr.String() != won.addr {
		t.Errorf("peer is %v, want %v", from.Addr, won.addr)
	}
	if len(ends) != 1 || ends[0] != nil {
		t.Errorf("the end of the call was told as %v, want once, without an error", ends)
	}
	if got := <-p.gone; got != context.Canceled {
		t.Errorf("the call at the loser ended with %v", got)
	}
	w.idle()
	if got := w.attempts(); got["neutral"] != neutral+1 || got["timeout"]+got["failure"]+got["lost"] != 0 {
		t.Errorf("attempts are %v", got)
	}
	if d := w.dump(); d.Hedges < 1 || d.HedgesWon < 1 || attempts.Load() != 2 || creds.asked.Load() != 2 {
		t.Errorf("%d hedges, %d won, the interceptor ran %d times, credentials were asked for %d times", d.Hedges, d.HedgesWon, attempts.Load(), creds.asked.Load())
	}
}

// counted is a credential of a call.
type counted struct{ asked atomic.Int64 }

func (t *counted) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	t.asked.Add(1)
	return map[string]string{"token": "secret"}, nil
}
func (*counted) RequireTransportSecurity() bool { return false }

// Trap 32: the first attempt may win as well, and is not touched by the second.
func TestTrap32FirstAttemptWins(t *testing.T) {
	p := newPair(t)
	w := ruled(t, hedging(20*time.Millisecond), p.all())
	conn := w.dial()
	warm(t, conn, p.all()...)
	arrived := make(chan struct{})
	p.slow = func(context.Context) (string, error) { <-arrived; return "first", nil }
	p.fast = func(ctx context.Context) (string, error) {
		close(arrived)
		<-ctx.Done()
		p.gone <- ctx.Err()
		return "second", nil
	}
	var header metadata.MD
	out, err := call(within(t), conn, get, "x", grpc.Header(&header))
	if err != nil || out != "first" || !slices.Equal(header.Get("instance"), []string{p.first.Load().id}) {
		t.Errorf("%q, header %v: %v", out, header, err)
	}
	if got := <-p.gone; got != context.Canceled {
		t.Errorf("the call at the loser ended with %v", got)
	}
	w.idle()
	if got := w.attempts(); got["neutral"] != 1 || w.dump().HedgesWon != 0 {
		t.Errorf("attempts are %v", got)
	}
}

// Trap 32: who has failed has not won. A first that fails waits for the second, and
// the other way round; where both fail the first has the word, and the second may
// have been executed as well.
func TestTrap32SuccessIsPreferred(t *testing.T) {
	broken := status.Error(codes.Internal, "broken")
	for _, tt := range []struct {
		name        string
		slow, fast  error
		secondFirst bool
		want        codes.Code
	}{
		{"first fails", broken, nil, false, codes.OK},
		{"second fails before the first succeeds", nil, broken, true, codes.OK},
		{"both fail", status.Error(codes.DataLoss, "broken"), broken, false, codes.DataLoss},
		{"an application's answer is a success", status.Error(codes.NotFound, "no"), nil, false, codes.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t)
			w := ruled(t, hedging(20*time.Millisecond), p.all())
			conn := w.dial()
			warm(t, conn, p.all()...)
			arrived, ended := make(chan struct{}), make(chan struct{})
			p.slow = func(context.Context) (string, error) {
				<-arrived
				if tt.secondFirst {
					<-ended
				}
				return "first", tt.slow
			}
			p.fast = func(ctx context.Context) (string, error) {
				close(arrived)
				if !tt.secondFirst {
					select {
					case <-ctx.Done():
						return "", ctx.Err()
					case <-time.After(300 * time.Millisecond):
					}
				}
				return "second", tt.fast
			}
			go func() {
				eventually(t, "the second has failed", func() bool { return w.attempts()["failure"] > 0 || tt.fast == nil })
				close(ended)
			}()
			out, err := call(within(t), conn, get, "x")
			if status.Code(err) != tt.want || err == nil && out != map[bool]string{true: "first", false: "second"}[tt.secondFirst] {
				t.Errorf("%q: %v", out, err)
			}
			<-ended
			w.idle()
		})
	}
}

// The application may do with request and reply what it wants once the call is
// over. It is the race detector that says so.
func TestTrap32RequestAndReplyAreTheApplicationsAfterTheCall(t *testing.T) {
	a, b := start(t, "v1"), start(t, "v2")
	var n atomic.Int64
	for _, b := range []*backend{a, b} {
		b.unary = func(ctx context.Context, _, in string) (string, error) {
			if n.Add(1)%10 == 0 {
				time.Sleep(10 * time.Millisecond) // as long as the delay, so that both end together
			}
			return in, nil
		}
	}
	w := ruled(t, hedging(10*time.Millisecond), []*backend{a, b})
	conn := w.dial()
	warm(t, conn, a, b)
	in, out := wrapperspb.String(""), new(wrapperspb.StringValue)
	var header, trailer metadata.MD
	for i := 0; w.dump().Hedges < 20 && i < 2_000; i++ {
		in.Value = fmt.Sprint(i)
		if err := conn.Invoke(within(t), get, in, out, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil || out.Value != fmt.Sprint(i) {
			t.Fatalf("%q: %v", out.Value, err)
		}
		header, trailer = nil, nil
		in.Value, out.Value = "written to", "written to"
	}
	if w.dump().Hedges < 5 {
		t.Errorf("only %d calls were hedged", w.dump().Hedges)
	}
	w.idle()
}

// plainCodec makes a message of a text that is no protobuf message.
type plainCodec struct{}

func (plainCodec) Marshal(v any) ([]byte, error) {
	return proto.Marshal(wrapperspb.String(*v.(*string)))
}

func (plainCodec) Unmarshal(data []byte, v any) error {
	m := new(wrapperspb.StringValue)
	err := proto.Unmarshal(data, m)
	*v.(*string) = m.Value
	return err
}

func (plainCodec) Name() string { return "proto" }

// What is sent once in any case.
func TestTrap32WhatIsNotHedged(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(ctx context.Context, conn *grpc.ClientConn) error
		one  bool // there is one instance only
	}{
		{"a reply that is no message", func(ctx context.Context, conn *grpc.ClientConn) error {
			in, out := "x", ""
			return conn.Invoke(ctx, get, &in, &out, grpc.ForceCodec(plainCodec{}))
		}, false},
		{"a large request", func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := call(ctx, conn, get, "x"+strings.Repeat("y", 64<<10))
			return err
		}, false},
		{"a call that may not be executed twice", func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := call(transport.WithCall(ctx, transport.Idempotent(false)), conn, get, "x")
			return err
		}, false},
		{"nobody else is there", func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := call(ctx, conn, get, "x")
			return err
		}, true},
		{"nobody else is there, and it waits", func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := call(waiting(ctx), conn, get, "x")
			return err
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t)
			all := p.all()
			if tt.one {
				all = all[:1]
			}
			p.slow = func(context.Context) (string, error) {
				time.Sleep(200 * time.Millisecond)
				return "first", nil
			}
			w := ruled(t, hedging(10*time.Millisecond), all)
			conn := w.dial()
			warm(t, conn, all...)
			w.idle()
			executed, hedges := executions(all...), w.dump().Hedges // of calls that were slow to warm up
			if err := tt.call(within(t), conn); err != nil {
				t.Error(err)
			}
			executed, hedges = executions(all...)-executed, w.dump().Hedges-hedges
			if executed != 1 || hedges != 0 {
				t.Errorf("executed %d times, %d hedges", executed, hedges)
			}
		})
	}
}

// Where another instance is listed and not ready, no second attempt is made: it
// would go to the same instance. It does not wait either, so that the failure of the
// first is not held up.
func TestHedgeGoesToWhoIsReady(t *testing.T) {
	p := newPair(t)
	w := ruled(t, hedging(10*time.Millisecond), p.all())
	conn := w.dial()
	warm(t, conn, p.all()...)
	p.b.kill()
	eventually(t, "it is known to be gone", func() bool {
		mustCall(t, conn, get, "")
		return w.node("v2").Stats.Failing > 0 || w.dump().Connections.Failed > 0
	})
	p.a.executed.Store(0)
	p.slow = func(context.Context) (string, error) {
		time.Sleep(200 * time.Millisecond)
		return "", status.Error(codes.DataLoss, "broken")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := call(ctx, conn, get, "x")
	if got := p.a.executed.Load(); got != 1 || status.Code(err) != codes.DataLoss || ctx.Err() != nil {
		t.Errorf("executed %d times: %v", got, err)
	}
	w.idle()
}

// A caller that leaves takes both attempts along.
func TestHedgeIsCancelledWithItsCall(t *testing.T) {
	p := newPair(t)
	w := ruled(t, hedging(10*time.Millisecond), p.all())
	conn := w.dial()
	warm(t, conn, p.all()...)
	ctx, leave := context.WithCancel(within(t))
	p.fast = func(ctx context.Context) (string, error) {
		leave()
		<-ctx.Done()
		p.gone <- ctx.Err()
		return "", ctx.Err()
	}
	_, err := call(ctx, conn, get, "x")
	if status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	for range 2 {
		if got := <-p.gone; got != context.Canceled {
			t.Errorf("a server saw %v", got)
		}
	}
	w.idle()
	eventually(t, "both are neutral", func() bool { return w.attempts()["neutral"] == 2 })
}

// Where both are lost the error counts both.
func TestHedgeThatFailsIsCounted(t *testing.T) {
	p := newPair(t)
	rules := hedging(10 * time.Millisecond)
	rules.Spec.Retries.MaxAttempts = 1
	w := ruled(t, rules, p.all())
	conn := w.dial()
	warm(t, conn, p.all()...)
	arrived := make(chan struct{})
	p.slow = func(ctx context.Context) (string, error) {
		<-arrived
		p.first.Load().cut()
		<-ctx.Done()
		return "", ctx.Err()
	}
	p.fast = func(ctx context.Context) (string, error) {
		close(arrived)
		p.other().cut()
		<-ctx.Done()
		return "", ctx.Err()
	}
	_, err := call(within(t), conn, get, "x")
	if own, ok := errors.AsType[*transport.Error](err); !ok || own.Attempts != 2 || !own.MaybeExecuted || status.Code(err) != codes.Unavailable {
		t.Errorf("error is %#v (%v)", own, err)
	}
	w.idle()
}
