package proxies

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// instance is a server that echoes, and says what it saw.
type instance struct {
	addr  string
	calls atomic.Int64
}

// newInstance starts one that ends with the test. It speaks nothing but the protocol.
func newInstance(t *testing.T, protocol string, unix bool) *instance {
	t.Helper()
	network, at := "tcp", "127.0.0.1:0"
	if unix {
		network, at = "unix", filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{addr: l.Addr().String()}
	if unix {
		i.addr = "unix:" + at
	}
	if protocol == scenario.GRPC {
		s := grpc.NewServer(grpc.UnknownServiceHandler(i.stream))
		go s.Serve(l) // ends with Stop
		t.Cleanup(s.Stop)
		return i
	}
	s := &http.Server{Handler: i, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(protocol == scenario.HTTP1)
	s.Protocols.SetUnencryptedHTTP2(protocol == scenario.HTTP2)
	go s.Serve(l) // ends with Close
	t.Cleanup(func() { s.Close() })
	return i
}

func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.calls.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Saw", fmt.Sprintf("%s %s%s %s", r.Method, r.Host, r.RequestURI, r.Header.Get("Tell")))
	w.WriteHeader(http.StatusAccepted)
	w.Write(body)
}

// stream answers each message with its own, and ends with the status that the client
// asks for.
func (i *instance) stream(_ any, s grpc.ServerStream) error {
	i.calls.Add(1)
	md, _ := metadata.FromIncomingContext(s.Context())
	deadline, _ := s.Context().Deadline()
	left := time.Until(deadline).Round(time.Hour)
	method, _ := grpc.MethodFromServerStream(s)
	s.SetHeader(metadata.Pairs("saw", fmt.Sprint(method, " ", strings.Join(md["tell"], ","), " ", left)))
	s.SetTrailer(metadata.Pairs("end", "of the stream"))
	for {
		var m wrapperspb.BytesValue
		if err := s.RecvMsg(&m); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if err := s.SendMsg(&m); err != nil {
			return err
		}
	}
	code, _ := strconv.Atoi(cmp.Or(strings.Join(md["end"], ""), "0"))
	return status.Error(codes.Code(code), "as you wish")
}

// newClient returns an http.Client that speaks nothing but the protocol, with an address.
func newClient(t *testing.T, protocol, addr string) *http.Client {
	network, at := address(addr).network()
	base := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}}
	base.Protocols.SetHTTP1(protocol == scenario.HTTP1)
	base.Protocols.SetUnencryptedHTTP2(protocol == scenario.HTTP2)
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: base, Timeout: patience}
}
