package fairgrpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// G2, G17 and trap 27, streams accounted at open: a stream counts until its
// true end. That is not its opening, not an answer, not CloseSend.
func TestG2G17Trap27StreamIsOutstandingUntilItsTrueEnd(t *testing.T) {
	send := func(t *testing.T, s grpc.ClientStream) {
		t.Helper()
		if err := s.SendMsg(wrapperspb.String("x")); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(s grpc.ClientStream) error { return s.RecvMsg(new(wrapperspb.StringValue)) }
	for _, tt := range []struct {
		name    string
		method  string
		end     func(t *testing.T, s grpc.ClientStream, cancel context.CancelFunc)
		outcome string
	}{
		{"server stream read to its end", watch, func(t *testing.T, s grpc.ClientStream, _ context.CancelFunc) {
			if err := receive(s); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}, "success"},
		{"client stream answered", upload, func(t *testing.T, s grpc.ClientStream, _ context.CancelFunc) {
			if err := receive(s); err != nil {
				t.Error(err)
			}
		}, "success"},
		{"both ways, read to its end", chat, func(t *testing.T, s grpc.ClientStream, _ context.CancelFunc) {
			if err := receive(s); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}, "success"},
		{"cancelled", chat, func(_ *testing.T, _ grpc.ClientStream, cancel context.CancelFunc) { cancel() }, "neutral"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := start(t, "a")
			w.announce(a)
			conn := w.dial()
			ctx, cancel := context.WithCancel(within(t))
			defer cancel()
			s, err := open(ctx, conn, tt.method)
			if err != nil {
				t.Fatal(err)
			}
			outstanding := func(when string) {
				t.Helper()
				if got := w.node("a").Stats.Outstanding; got != 1 {
					t.Errorf("%d streams outstanding after %s", got, when)
				}
			}
			outstanding("it was opened")
			send(t, s)
			if tt.method != upload {
				if err := receive(s); err != nil {
					t.Fatal(err)
				}
				outstanding("an answer")
			}
			_ = s.CloseSend()
			outstanding("CloseSend")
			tt.end(t, s, cancel)
			eventually(t, "the stream is counted out", func() bool { return w.node("a").Stats.Outstanding == 0 })
			if got := w.attempts()[tt.outcome]; got != 1 {
				t.Errorf("attempts are %v, want one %s", w.attempts(), tt.outcome)
			}
			if a := w.node("a").Stats; a.Latency != 0 {
				t.Errorf("the stream's length was taken for a latency of %v", a.Latency)
			}
		})
	}
}

// A channel without interceptors knows a stream by its descriptor.
func TestStreamWithoutInterceptorsIsNoLatency(t *testing.T) {
	w := newWorld(t)
	a := start(t, "a")
	w.announce(a)
	conn := dial(t, "mesh:///orders", grpc.WithResolvers(fairgrpc.Resolver(w.mesh)))
	s, err := open(within(t), conn, chat)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.CloseSend()
	if err := s.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if got := w.node("a").Stats; got.Latency != 0 || got.Outstanding != 0 {
		t.Errorf("%+v", got)
	}
}

// G12 and G16: a stream that broke after it was opened is the application's to
// begin again, and its error is gRPC's own.
func TestG12G16OpenedStreamIsNotRetried(t *testing.T) {
	w := newWorld(t)
	a, b := start(t, "a"), start(t, "b")
	for _, b := range []*backend{a, b} {
		b.stream = func(_ string, s grpc.ServerStream) error {
			_ = s.SendMsg(wrapperspb.String("first"))
			_ = s.RecvMsg(new(wrapperspb.StringValue))
			b.cut()
			<-s.Context().Done()
			return s.Context().Err()
		}
	}
	w.announce(a, b)
	conn := w.dial()
	warm(t, conn, a, b)
	s, err := open(transport.WithCall(within(t), transport.Idempotent(true)), conn, chat)
	if err != nil {
		t.Fatal(err)
	}
	first := new(wrapperspb.StringValue)
	if err := s.RecvMsg(first); err != nil || first.Value != "first" {
		t.Fatal(first, err)
	}
	_ = s.SendMsg(wrapperspb.String("go on"))
	err = s.RecvMsg(new(wrapperspb.StringValue))
	if status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	if got := executions(a, b); got != 1 {
		t.Errorf("the stream was opened %d times", got)
	}
}

// bareCreds are credentials that cannot tell whether an authority is allowed,
// so that gRPC refuses a call that names one, after the pick.
type bareCreds struct {
	credentials.TransportCredentials
}

type bareInfo struct{ credentials.CommonAuthInfo }

func (bareInfo) AuthType() string { return "bare" }

func (c bareCreds) Clone() credentials.TransportCredentials { return c }

func (bareCreds) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, bareInfo{}, nil
}

// G12 and G15: an opening that failed for good is not tried again, though
// nothing was sent: gRPC has tried what could be tried. The end is told once.
func TestG12FailedOpeningIsFinal(t *testing.T) {
	a, b := start(t, "a"), start(t, "b")
	w := ruled(t, retrying(3, "UNAVAILABLE", "connect-failure", "reset"), []*backend{a, b}) // which is not about streams
	conn := w.dial(grpc.WithTransportCredentials(bareCreds{insecure.NewCredentials()}))
	warm(t, conn, a, b)
	var ends int
	_, err := conn.NewStream(transport.WithCall(within(t), transport.Idempotent(true)), &grpc.StreamDesc{ServerStreams: true}, watch,
		grpc.CallAuthority("other"), grpc.OnFinish(func(error) { ends++ }))
	own, ok := errors.AsType[*transport.Error](err)
	if !ok || status.Code(err) != codes.Unavailable || own.Attempts != 1 || own.MaybeExecuted {
		t.Errorf("error is %#v (%v)", own, err)
	}
	if ends != 1 {
		t.Errorf("the end was told %d times", ends)
	}
}

// A stream to nobody fails at its opening, typed, and one that waits until
// ready waits.
func TestStreamToNobody(t *testing.T) {
	w := newWorld(t)
	conn := w.dial()
	_, err := open(within(t), conn, chat)
	if own, ok := errors.AsType[*transport.Error](err); !ok || status.Code(err) != codes.Unavailable || !errors.Is(own, balancer.ErrNoInstances) {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, watch, grpc.WaitForReady(true))
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error is %v", err)
	}
}

// G11: a stream that a server refused before it processed it is opened again
// by gRPC, to another instance.
func TestG11RefusedStreamIsOpenedElsewhere(t *testing.T) {
	w := newWorld(t, inTurnInAnyCase())
	r, good := refuse(t), start(t, "good")
	w.announce(good)
	conn := w.dial()
	warm(t, conn, good)
	w.announce(&backend{id: "refuser", addr: r.addr})
	before := r.connected(t, conn)
	good.executed.Store(0)
	for range 20 {
		s, err := open(within(t), conn, chat)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		if err := s.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	if refused := r.refused.Load() - before; refused < 5 || good.executed.Load() != 20 {
		t.Errorf("%d refused, %d executed", refused, good.executed.Load())
	}
}
