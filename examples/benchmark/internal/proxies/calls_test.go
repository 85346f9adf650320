package proxies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// found are the proxies of this machine; asking for their versions takes time.
var found = sync.OnceValue(func() []Kind { return Find(context.Background()) })

// each runs a test with each proxy that this machine has, and says which it has not.
func each(t *testing.T, test func(t *testing.T, k Kind)) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) { test(t, kind(t, name)) })
	}
}

// kind skips the test of a proxy that is not here.
func kind(t *testing.T, name string) Kind {
	t.Helper()
	n := slices.IndexFunc(found(), func(k Kind) bool { return k.Name == name })
	switch {
	case n < 0 && name == fairlead:
		t.Fatal("fairlead's own proxy is not found")
	case n < 0:
		t.Skipf("%s is not on this machine; see examples/benchmark/install-proxies.sh", name)
	}
	return found()[n]
}

// run starts a proxy that ends with the test.
func run(t *testing.T, k Kind, protocol string, hops ...Hop) *Process {
	t.Helper()
	p, err := k.Start(t.Context(), Config{Dir: folder(t), Protocol: protocol, Hops: hops})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// folder is one whose name leaves room for that of a socket.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxies")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// The way of a call is as long as it gets: a proxy beside the client and one beside the
// instance, once over sockets and once over TCP.
func TestCallsPassThroughUnchanged(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("fairlead calls unix sockets on Linux only")
	}
	each(t, func(t *testing.T, k Kind) {
		for _, protocol := range []string{scenario.HTTP1, scenario.HTTP2, scenario.GRPC} {
			t.Run(protocol, func(t *testing.T) {
				onward := k.Onward(protocol)
				one, two := newInstance(t, onward, false), newInstance(t, onward, true)
				inbound := run(t, k, onward, Hop{Upstreams: []string{one.addr}}, Hop{Unix: true, Upstreams: []string{two.addr}})
				outbound := run(t, k, protocol,
					Hop{Unix: true, Upstreams: inbound.Addrs},
					Hop{Upstreams: inbound.Addrs},
					Hop{Upstreams: []string{one.addr, two.addr}})
				for n, addr := range outbound.Addrs {
					one.calls.Store(0)
					two.calls.Store(0)
					if protocol == scenario.GRPC {
						passGRPC(t, addr)
					} else {
						passHTTP(t, protocol, addr)
					}
					if a, b := one.calls.Load(), two.calls.Load(); a+b < 4 || a-b > 1 || b-a > 1 {
						t.Errorf("hop %d: of two upstreams one got %d calls and the other %d, want them to take turns", n, a, b)
					}
				}
			})
		}
	})
}

func passHTTP(t *testing.T, protocol, addr string) {
	t.Helper()
	client := newClient(t, protocol, addr)
	for _, size := range []int{0, 128, 4 << 10, 64 << 10} {
		sent := bytes.Repeat([]byte("echo "), size/5+1)[:size]
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://orders/a/b?c=d%20e", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Tell", "a story")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("of %d bytes %d came back (%v)", size, len(got), err)
		}
		if saw := resp.Header.Get("Saw"); resp.StatusCode != http.StatusAccepted || saw != "PUT orders/a/b?c=d%20e a story" {
			t.Errorf("the answer is %s, and %q was asked for", resp.Status, saw)
		}
	}
}

func passGRPC(t *testing.T, addr string) {
	t.Helper()
	network, at := address(addr).network()
	conn, err := grpc.NewClient("passthrough:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, ends := range []codes.Code{codes.OK, codes.FailedPrecondition, codes.OK, codes.OK} {
		converse(t, conn, ends)
	}
}

// converse makes a call in which each message is answered before the next is sent.
func converse(t *testing.T, conn *grpc.ClientConn, ends codes.Code) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "tell", "a story", "end", strconv.Itoa(int(ends)))
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/any/Method")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 128, 4 << 10, 64 << 10} {
		sent, got := wrapperspb.Bytes(bytes.Repeat([]byte("echo "), size/5+1)[:size]), new(wrapperspb.BytesValue)
		if err := errors.Join(s.SendMsg(sent), s.RecvMsg(got)); err != nil || !bytes.Equal(got.Value, sent.Value) {
			t.Fatalf("of %d bytes %d came back (%v)", size, len(got.Value), err)
		}
	}
	s.CloseSend()
	err = s.RecvMsg(new(wrapperspb.BytesValue))
	if err == io.EOF {
		err = nil
	}
	if said := status.Convert(err); said.Code() != ends || ends != codes.OK && said.Message() != "as you wish" {
		t.Errorf("the call ends with %v, want %v", err, ends)
	}
	header, _ := s.Header()
	if saw := strings.Join(header["saw"], ""); saw != "/any/Method a story 5h0m0s" {
		t.Errorf("%q was asked for", saw)
	}
	if end := strings.Join(s.Trailer()["end"], ""); end != "of the stream" {
		t.Errorf("the trailer is %v", s.Trailer())
	}
}
