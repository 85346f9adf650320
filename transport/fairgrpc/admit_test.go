package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// admission returns what decides for a server of the test.
func admission(tb testing.TB, c transport.AdmissionConfig, opts ...transport.Option) *transport.Admission {
	tb.Helper()
	a, err := newMesh(tb, new(discovery.Memory), opts...).Admission("orders", c)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// admitting returns the options of a server.
func admitting(a *transport.Admission, options ...fairgrpc.ServerOption) []grpc.ServerOption {
	return fairgrpc.ServerOptions(append(options, fairgrpc.Admit(a))...)
}

// full returns what decides for a server that takes nothing on.
func full(tb testing.TB) *transport.Admission {
	tb.Helper()
	a := admission(tb, oneAtATime)
	held, err := a.Admit(context.Background(), transport.Arrival{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { held.Done(transport.Neutral) })
	return a
}

// worked is how many calls are worked on, and how many were refused by priority, by
// the limit of a kind.
func worked(tb testing.TB, a *transport.Admission, kind string) (inFlight int, refused [3]int64) {
	tb.Helper()
	for _, l := range a.Dump().Limits.Limits {
		if l.Kind == kind {
			return l.InFlight, l.Refused
		}
	}
	tb.Fatalf("there is no limit of %s", kind)
	panic("unreachable")
}

var oneAtATime = transport.AdmissionConfig{Concurrency: ratelimit.ConcurrencyConfig{Max: 1}}

// What a client is told of a unary call or a stream that is not taken on; the handler
// never sees it.
func TestRefusedCalls(t *testing.T) {
	seldom := admission(t, transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 0.1, Burst: 1}})
	if _, err := seldom.Admit(t.Context(), transport.Arrival{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		a        *transport.Admission
		code     codes.Code
		kind     string
		pushback func(time.Duration) bool
	}{
		{"Concurrency", full(t), codes.Unavailable, "concurrency", func(d time.Duration) bool { return d == time.Second }},
		{"Rate", seldom, codes.ResourceExhausted, "rate", func(d time.Duration) bool { return d > time.Second && d <= 10*time.Second }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "v1", admitting(c.a)...)
			conn := dial(t, b.addr) // not one of ours
			check := func(kind string, err error, trailer metadata.MD) {
				t.Helper()
				var ms int64
				fmt.Sscan(append(trailer["grpc-retry-pushback-ms"], "")[0], &ms)
				if status.Code(err) != c.code || !slices.Equal(trailer[fairgrpc.Refused], []string{c.kind}) || !c.pushback(time.Duration(ms)*time.Millisecond) {
					t.Errorf("%s: it ends with %v and trailer %v", kind, err, trailer)
				}
			}
			var trailer metadata.MD
			_, err := call(within(t), conn, get, "x", grpc.Trailer(&trailer))
			check("Unary", err, trailer)
			s, err := open(within(t), conn, chat)
			if err != nil {
				t.Fatal(err)
			}
			err = s.RecvMsg(new(wrapperspb.StringValue))
			check("Stream", err, s.Trailer())
			if n := b.executed.Load(); n != 0 {
				t.Errorf("the handler was called %d times", n)
			}
		})
	}
}

// Refusals are overload to our clients, be it of unary calls or streams, with and
// without interceptors.
func TestRefusalsAreOverload(t *testing.T) {
	for _, c := range []struct {
		name string
		a    transport.AdmissionConfig
	}{
		{"Concurrency", oneAtATime},
		{"Rate", transport.AdmissionConfig{Rate: ratelimit.RateConfig{Rate: 0.001, Burst: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := admission(t, c.a)
			held, err := a.Admit(t.Context(), transport.Arrival{})
			if err != nil {
				t.Fatal(err)
			}
			defer held.Done(transport.Neutral)
			b := start(t, "v1", admitting(a)...)
			w := newWorld(t, inTurnInAnyCase())
			w.announce(b)
			refused := int64(0)
			for name, call := range ways(w) {
				if _, err := call(within(t)); err == nil {
					t.Errorf("%s: it was taken on", name)
				}
				refused++
				eventually(t, name+" is counted", func() bool { return w.attempts()["overload"] == refused })
			}
		})
	}
}

// A call whose answer would come too late is refused by what its method takes, is not
// tried again, and counts as overload.
func TestCallsThatHaveNoTimeAreRefused(t *testing.T) {
	a := admission(t, transport.AdmissionConfig{})
	b := start(t, "v1", admitting(a)...)
	b.unary = func(context.Context, string, string) (string, error) {
		time.Sleep(20 * time.Millisecond)
		return "", nil
	}
	plain := dial(t, b.addr) // our own clients would not send the call
	for range 20 {           // as many as it takes to be believed
		mustCall(t, plain, get, "x")
	}
	w := newWorld(t)
	w.announce(b)
	conn := w.dial()
	mustCall(t, conn, add, "x")
	w2 := w.attempts()["overload"]
	eventually(t, "a call is refused", func() bool { // one in a second is let through, to see whether it still holds
		ctx, cancel := context.WithTimeout(within(t), 15*time.Millisecond)
		defer cancel()
		var trailer metadata.MD
		_, err := call(ctx, conn, get, "x", grpc.Trailer(&trailer))
		if len(trailer[fairgrpc.Refused]) == 0 {
			return false
		}
		if status.Code(err) != codes.DeadlineExceeded || !slices.Equal(trailer[fairgrpc.Refused], []string{"deadline"}) || !slices.Equal(trailer["grpc-retry-pushback-ms"], []string{"-1"}) {
			t.Errorf("it ends with %v and trailer %v", err, trailer)
		}
		return true
	})
	if n := w.attempts(); n["overload"] == w2 || n["failure"] != 0 {
		t.Errorf("the client has counted %v", n)
	}
	if _, refused := worked(t, a, "deadline"); refused[ratelimit.Default.Index()] == 0 {
		t.Errorf("refused are %v", refused)
	}
}

// A call holds its place until its handler has returned, in whatever way; a stream
// to its end.
func TestAPlaceIsGivenBackAtTheTrueEnd(t *testing.T) {
	recovering := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (_ any, err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("recovered from %v", r)
				}
			}()
			return h(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("recovered from %v", r)
				}
			}()
			return h(srv, s)
		}),
	}
	for _, c := range []struct {
		name string
		end  func() error
	}{
		{"Return", func() error { return nil }},
		{"Error", func() error { return status.Error(codes.NotFound, "no sheep") }},
		{"Panic", func() error { panic("sheep") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := admission(t, oneAtATime)
			b := start(t, "v1", append(recovering, admitting(a)...)...)
			during := make(chan int, 1)
			look := func() {
				n, _ := worked(t, a, "concurrency")
				during <- n
			}
			b.unary = func(context.Context, string, string) (string, error) {
				look()
				return "", c.end()
			}
			b.stream = func(_ string, s grpc.ServerStream) error {
				_ = s.SendMsg(wrapperspb.String("first"))
				_ = s.RecvMsg(new(wrapperspb.StringValue))
				look()
				return c.end()
			}
			conn := dial(t, b.addr)
			_, _ = call(within(t), conn, get, "x")
			if n := <-during; n != 1 {
				t.Errorf("%d calls are worked on during one", n)
			}
			eventually(t, "the place is free", func() bool { n, _ := worked(t, a, "concurrency"); return n == 0 })
			s, err := open(within(t), conn, chat)
			if err != nil {
				t.Fatal(err)
			}
			out := new(wrapperspb.StringValue)
			if err := s.RecvMsg(out); err != nil {
				t.Fatal(err)
			}
			if n, _ := worked(t, a, "concurrency"); n != 1 {
				t.Errorf("%d calls are worked on while a stream is open", n)
			}
			_ = s.CloseSend()
			if n := <-during; n != 1 {
				t.Errorf("%d calls are worked on while a stream ends", n)
			}
			_ = s.RecvMsg(out)
			eventually(t, "the place is free", func() bool { n, _ := worked(t, a, "concurrency"); return n == 0 })
		})
	}
}

// Refusals are counted by the priority that is believed.
func TestAdmissionByPriority(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []fairgrpc.ServerOption
		said    metadata.MD
		counts  ratelimit.Priority
	}{
		{"Nothing", []fairgrpc.ServerOption{fairgrpc.TrustPriority()}, nil, ratelimit.Default},
		{"Critical", []fairgrpc.ServerOption{fairgrpc.TrustPriority()}, metadata.Pairs(fairgrpc.Priority, "critical"), ratelimit.Critical},
		{"CriticalUntrusted", nil, metadata.Pairs(fairgrpc.Priority, "critical"), ratelimit.Default},
		{"Sheddable", nil, metadata.Pairs(fairgrpc.Priority, "sheddable"), ratelimit.Sheddable},
		{"Unknown", []fairgrpc.ServerOption{fairgrpc.TrustPriority()}, metadata.Pairs(fairgrpc.Priority, "urgent"), ratelimit.Default},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := full(t)
			b := start(t, "v1", admitting(a, c.options...)...)
			_, _ = call(metadata.NewOutgoingContext(within(t), c.said), dial(t, b.addr), get, "")
			want := [3]int64{}
			want[c.counts.Index()] = 1
			if _, got := worked(t, a, "concurrency"); got != want {
				t.Errorf("refused are %v, want %v", got, want)
			}
		})
	}
}

// Rules for servers see a call as it came.
func TestAdmissionByRules(t *testing.T) {
	for _, c := range []struct {
		name, match, method string
		says                metadata.MD
	}{
		{"Path", `"path":{"exact":"` + replace + `"}`, replace, nil},
		{"Header", `"headers":{"X-Tier":{"exact":"gold"}}`, get, metadata.Pairs("x-tier", "gold")},
		{"Caller", `"caller":{"exact":"shop"}`, get, metadata.Pairs("fairlead-caller", "shop")},
		{"CallerBehindAProxy", `"caller":{"exact":"shop"}`, get, metadata.Pairs("fairlead-caller", "front", "fairlead-caller", "shop")},
		{"Baggage", `"baggage":{"tier":{"exact":"gold"}}`, get, metadata.Pairs("baggage", "tier=gold")},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := new(fairleadtest.Rulebook)
			rules.PutText("orders", fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"spec":{"service":"orders","server":{"limits":[
				{"name":"few","rate":"1/h","match":[{%s}]}]}}}`, rule.APIVersion, rule.Kind, c.match))
			a := admission(t, transport.AdmissionConfig{}, transport.WithRules(rules))
			eventually(t, "the rules are known", func() bool { return a.Dump().Revision > 0 })
			conn := dial(t, start(t, "v1", admitting(a)...).addr)
			for range 3 {
				mustCall(t, conn, get, "another")
			}
			ctx := metadata.NewOutgoingContext(within(t), c.says)
			if _, err := call(ctx, conn, c.method, "x"); err != nil {
				t.Errorf("the first ends with %v", err)
			}
			if _, err := call(ctx, conn, c.method, "x"); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("the second ends with %v", err)
			}
		})
	}
}

// A client that is refused stays away for as long as it is asked to, and its next
// attempt goes elsewhere.
func TestClientsObeyRefusals(t *testing.T) {
	a := full(t)
	busy, idle := start(t, "busy", admitting(a)...), start(t, "idle", admitting(admission(t, oneAtATime))...)
	w := newWorld(t, inTurnInAnyCase(), transport.WithRetry(retry.Policy{
		MaxAttempts: 2, On: retry.Overload, Backoff: retry.BackoffConfig{BaseInterval: time.Nanosecond},
	}))
	w.announce(busy, idle)
	conn := w.dial()
	conn.Connect()
	eventually(t, "both are connected", func() bool {
		for _, s := range w.mesh.Dump().Services {
			return s.Connections != nil && s.Connections.Ready == 2
		}
		return false
	})
	begun := time.Now()
	for range 2 { // in turn
		if got := mustCall(t, conn, get, "x"); got != "idle:x" {
			t.Errorf("answered is %q", got)
		}
	}
	_, refused := worked(t, a, "concurrency")
	if n, waited := refused[ratelimit.Default.Index()], time.Since(begun); n == 0 || waited < time.Duration(n)*time.Second {
		t.Errorf("the client was refused %d times and has waited %v, which should be a second each", n, waited)
	}
}

// A refusal of the client's own limits is RESOURCE_EXHAUSTED, for unary calls and
// streams.
func TestOwnLimitsRefuseWithAStatus(t *testing.T) {
	b := start(t, "v1")
	w := newWorld(t, transport.WithRateLimit(ratelimit.RateConfig{Rate: 0.1, Burst: 1}))
	w.announce(b)
	conn := w.dial()
	mustCall(t, conn, get, "x")
	_, err := call(within(t), conn, get, "x")
	_, streamErr := open(within(t), conn, chat)
	for _, err := range []error{err, streamErr} {
		e, ok := errors.AsType[*transport.Error](err)
		if status.Code(err) != codes.ResourceExhausted || !ok || e.Stage != transport.StageLimit || !errors.Is(err, ratelimit.ErrRate) || e.RetryAfter <= 0 {
			t.Errorf("the error is %#v", err)
		}
	}
	if n := b.executed.Load(); n != 1 {
		t.Errorf("%d calls reached the server", n)
	}
}

// So is one of the limit of all instances, which is met by the picker.
func TestFullInstancesRefuseWithAStatus(t *testing.T) {
	b := start(t, "v1")
	begun, release := make(chan struct{}), make(chan struct{})
	b.unary = func(_ context.Context, _, in string) (string, error) {
		if in == "hold" {
			close(begun)
			<-release
		}
		return "", nil
	}
	w := newWorld(t, transport.WithConcurrency(rule.PerInstance, ratelimit.ConcurrencyConfig{Max: 1}))
	w.announce(b)
	conn := w.dial()
	held := make(chan error)
	go func() {
		_, err := call(within(t), conn, get, "hold")
		held <- err
	}()
	<-begun
	_, err := call(within(t), conn, get, "x")
	_, streamErr := open(within(t), conn, chat)
	for _, err := range []error{err, streamErr} {
		e, ok := errors.AsType[*transport.Error](err)
		if status.Code(err) != codes.ResourceExhausted || !ok || e.Stage != transport.StageLimit || !errors.Is(err, ratelimit.ErrConcurrency) {
			t.Errorf("the error is %v", err)
		}
	}
	close(release)
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// A server is told who calls, if the client says so and its mesh knows.
func TestSendCaller(t *testing.T) {
	b := start(t, "v1")
	got := make(chan []string, 1)
	b.unary = func(ctx context.Context, _, _ string) (string, error) {
		got <- incoming(ctx, "fairlead-caller")
		return "", nil
	}
	for caller, want := range map[string][]string{"": nil, "shop": {"shop"}} {
		w := newWorld(t, transport.WithCaller(caller))
		w.announce(b)
		mustCall(t, dial(t, "mesh:///orders", fairgrpc.DialOptions(w.mesh, fairgrpc.SendCaller())...), get, "")
		if said := <-got; !slices.Equal(said, want) {
			t.Errorf("the server is told %q, want %q", said, want)
		}
		mustCall(t, w.dial(), get, "")
		if said := <-got; said != nil {
			t.Errorf("the server is told %q, and nobody asked for that", said)
		}
	}
}
