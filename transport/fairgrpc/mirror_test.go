package fairgrpc_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// mirroring is a policy whose calls go to v1 and are all copied to v2.
func mirroring() rule.Policy {
	all := to("v1")
	all.Mirror = &rule.Mirror{Subset: "v2", Percent: 100_00}
	return policy(all)
}

// received is what a backend saw of a call.
type received struct {
	method, in string
	metadata   metadata.MD
}

// receiving makes a backend tell what it received.
func receiving(b *backend) <-chan received {
	all := make(chan received, 100)
	b.unary = func(ctx context.Context, method, in string) (string, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		all <- received{method, in, md}
		return b.id, nil
	}
	return all
}

// copies waits until n copies were sent.
func (w *world) copies(n int64) {
	w.tb.Helper()
	eventually(w.tb, fmt.Sprint(n, " copies were sent"), func() bool { return w.rules().Mirrored == n })
}

// A copy is the call once more, but marked, with what its options say to the
// server.
func TestMirrorCopies(t *testing.T) {
	backends := two(t)
	calls, copies := receiving(backends[0]), receiving(backends[1])
	w := ruled(t, mirroring(), backends)
	conn := w.dial()
	ctx := metadata.AppendToOutgoingContext(carrying(t, within(t), "lane=blue"), "x-tier", "gold")
	header := metadata.MD{}
	if got, err := call(ctx, conn, get, "two sheep", grpc.Header(&header), grpc.PerRPCCredentials(token{})); got != "v1" {
		t.Fatalf("the call is answered by %q: %v", got, err)
	}
	first, second := <-calls, <-copies
	if len(first.metadata[fairgrpc.Mirrored]) != 0 || !slices.Equal(second.metadata[fairgrpc.Mirrored], []string{"true"}) {
		t.Errorf("the call has metadata %v, its copy %v", first.metadata, second.metadata)
	}
	if len(first.metadata[fairgrpc.Priority]) != 0 || !slices.Equal(second.metadata[fairgrpc.Priority], []string{"sheddable"}) {
		t.Errorf("the call has priority %q, its copy %q", first.metadata[fairgrpc.Priority], second.metadata[fairgrpc.Priority])
	}
	for _, key := range []string{"x-tier", "baggage", "authorization", "content-type", ":authority"} {
		if a, b := first.metadata[key], second.metadata[key]; len(a) != 1 || !slices.Equal(a, b) {
			t.Errorf("%s is %q for the call and %q for its copy", key, a, b)
		}
	}
	if first.method != second.method || first.in != second.in || second.in != "two sheep" {
		t.Errorf("the call is %v, its copy %v", first, second)
	}
	w.copies(1)
}

// token is a credential that needs no TLS.
type token struct{}

var _ credentials.PerRPCCredentials = token{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer x"}, nil
}
func (token) RequireTransportSecurity() bool { return false }

// Once its call has ended, message and reply are the application's again; the
// copy's reply is nobody's.
func TestMirrorSharesNothingWithItsCall(t *testing.T) {
	backends := two(t)
	receiving(backends[0])
	copies := receiving(backends[1])
	w := ruled(t, mirroring(), backends)
	conn := w.dial()
	in, out, header := new(wrapperspb.StringValue), new(wrapperspb.StringValue), metadata.MD{}
	want := map[string]bool{}
	const calls = 50
	for n := range calls {
		in.Value = fmt.Sprint(n)
		want[in.Value] = true
		if err := conn.Invoke(within(t), get, in, out, grpc.Header(&header)); err != nil || out.Value != "v1" {
			t.Fatalf("the call is answered by %q: %v", out.Value, err)
		}
		in.Value, out.Value, header = "spoiled", "", nil
	}
	w.copies(calls)
	for range calls {
		delete(want, (<-copies).in)
	}
	if len(want) != 0 || out.Value != "" || header != nil {
		t.Errorf("copies of %v are missing; the last reply is %q", want, out.Value)
	}
}

// What is too large, or a stream, is not copied.
func TestWhatIsNotMirrored(t *testing.T) {
	for name, make := range map[string]func(ctx context.Context, conn *grpc.ClientConn) error{
		"Large": func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := call(ctx, conn, get, strings.Repeat("x", 64<<10))
			return err
		},
		"Stream": func(ctx context.Context, conn *grpc.ClientConn) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			s, err := open(ctx, conn, chat)
			if err != nil {
				return err
			}
			return s.RecvMsg(new(wrapperspb.StringValue))
		},
	} {
		t.Run(name, func(t *testing.T) {
			backends := two(t)
			w := ruled(t, mirroring(), backends)
			if err := make(within(t), w.dial()); err != nil {
				t.Fatal(err)
			}
			if n := backends[1].executed.Load(); n != 0 || w.rules().Unmirrored != 1 || w.rules().Mirrored != 0 {
				t.Errorf("%d copies arrived, shown are %+v", n, w.rules())
			}
		})
	}
}

// Whatever becomes of the copy, the call is as it would be without; and nothing
// is left of it after Close.
func TestMirrorChangesNothingForTheCall(t *testing.T) {
	for _, c := range []struct {
		name  string
		unary func(ctx context.Context, method, in string) (string, error)
		spoil func(*backend)
	}{
		{"Hung", func(ctx context.Context, _, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }, nil},
		{"Broken", func(context.Context, string, string) (string, error) {
			return "", status.Error(codes.Unavailable, "no")
		}, nil},
		{"Down", nil, (*backend).kill},
	} {
		t.Run(c.name, func(t *testing.T) {
			backends := two(t)
			w := ruled(t, mirroring(), backends)
			if c.unary != nil {
				backends[1].unary = c.unary
			}
			if c.spoil != nil {
				c.spoil(backends[1])
			}
			conn := w.dial()
			for range 20 {
				if got, err := call(within(t), conn, replace, ""); got != "v1" {
					t.Errorf("the call is answered by %q: %v", got, err)
				}
			}
			if n := w.mesh.Dump().Services[0].Retries; n != 0 {
				t.Errorf("%d retries", n)
			}
			if err := w.mesh.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}
