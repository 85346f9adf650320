package balancer_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
)

// listen returns the address of somebody who accepts connections, and a channel
// with what becomes of each: the error that the first read ends with.
func listen(t *testing.T, network, at string) (addr string, ends <-chan error) {
	t.Helper()
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan error, 16)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
			all <- err
		}
	}()
	return l.Addr().String(), all
}

// deaf returns an address at which nobody listens.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTCPProber(t *testing.T) {
	there, ends := listen(t, "tcp", "127.0.0.1:0")
	socket := filepath.Join(t.TempDir(), "s")
	_, unixEnds := listen(t, "unix", socket)
	gone := deaf(t)
	forbidden := errors.New("forbidden")
	for _, tt := range []struct {
		name      string
		prober    balancer.TCPProber
		endpoints []discovery.Endpoint
		addr      string
		check     balancer.SocketCheck
		want      error        // nil: it passes
		reached   <-chan error // a connection comes, and is closed again
	}{
		{"somebody listens", balancer.TCPProber{}, nil, there, nil, nil, ends},
		{"whatever the protocol", balancer.TCPProber{Protocol: "redis"}, nil, there, nil, nil, ends},
		{"nobody does", balancer.TCPProber{}, nil, gone, nil, syscall.ECONNREFUSED, nil},
		{"the endpoint of the protocol", balancer.TCPProber{Protocol: "grpc"},
			[]discovery.Endpoint{{Protocol: "http", Addr: gone}, {Protocol: "grpc", Addr: there}}, gone, nil, nil, ends},
		{"the first endpoint", balancer.TCPProber{},
			[]discovery.Endpoint{{Protocol: "http", Addr: gone}, {Protocol: "grpc", Addr: there}}, there, nil, syscall.ECONNREFUSED, nil},
		{"no endpoint of the protocol", balancer.TCPProber{Protocol: "redis"},
			[]discovery.Endpoint{{Protocol: "http", Addr: there}}, there, nil, balancer.ErrUnprobed, nil},
		{"a unix socket", balancer.TCPProber{}, []discovery.Endpoint{{Protocol: "http", Addr: "unix:" + socket}}, gone, nil, nil, unixEnds},
		{"a unix socket that is not there", balancer.TCPProber{}, []discovery.Endpoint{{Protocol: "http", Addr: "unix:" + socket + "x"}}, there, nil, syscall.ENOENT, nil},
		{"an address that is forbidden", balancer.TCPProber{}, nil, there, func(string, string) error { return forbidden }, forbidden, nil},
		{"the dialer's own check", balancer.TCPProber{Dialer: net.Dialer{Control: func(string, string, syscall.RawConn) error { return forbidden }}},
			nil, there, func(string, string) error { return nil }, forbidden, nil},
		{"the dialer's other check", balancer.TCPProber{Dialer: net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return forbidden }}},
			nil, there, nil, forbidden, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := balancer.NewNode(discovery.Instance{ID: "a", Addr: tt.addr, Endpoints: tt.endpoints}, 0)
			ctx := t.Context()
			if tt.check != nil {
				ctx = balancer.WithSocketCheck(ctx, tt.check)
			}
			if err := tt.prober.Probe(ctx, n); !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
			if tt.reached != nil {
				if err := <-tt.reached; err == nil {
					t.Error("something was said over the connection")
				}
			}
			select {
			case <-ends:
				t.Error("a connection was made that should not have been")
			default:
			}
		})
	}
}

// The address is that which the socket is about to connect to.
func TestSocketCheckSeesWhatNamesBecome(t *testing.T) {
	there, _ := listen(t, "tcp", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(there)
	n := balancer.NewNode(discovery.Instance{ID: "a", Addr: "localhost:" + port}, 0)
	var reach discovery.Reach // no loopback
	err := balancer.TCPProber{}.Probe(balancer.WithSocketCheck(t.Context(), reach.CheckSocket), n)
	if !errors.Is(err, discovery.ErrForbidden) {
		t.Errorf("error is %v", err)
	}
}

func TestTCPProbeEndsWithItsContext(t *testing.T) {
	there, _ := listen(t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := balancer.NewNode(discovery.Instance{ID: "a", Addr: there}, 0)
	if err := (balancer.TCPProber{}).Probe(ctx, n); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
