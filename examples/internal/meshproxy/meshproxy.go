// Package meshproxy is examples/proxy without its command line.
package meshproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Serve passes calls on from addr to the upstreams, in turn, until ctx is done; then
// it waits for those in flight. An address is a host:port or unix:/path.
func Serve(ctx context.Context, addr, protocol string, upstreams ...string) error {
	doors := map[string]func(*transport.Mesh, net.Listener, string) (transport.Server, error){"http1": overHTTP, "http2": overHTTP, "grpc": overGRPC}
	if doors[protocol] == nil {
		return fmt.Errorf("protocol %q: allowed are http1, http2 and grpc", protocol)
	}
	mesh, err := open(upstreams)
	if err != nil {
		return err
	}
	defer mesh.Close(context.Background())
	network, path := "tcp", addr
	if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, path = "unix", socket
	}
	l, err := net.Listen(network, path)
	if err != nil {
		return err
	}
	server, err := doors[protocol](mesh, l, protocol)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }() // ends with Shutdown
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return errors.Join(server.Shutdown(ctx), <-ended)
	}
}

// open returns a mesh that has the upstreams from a list. In a cluster it would have
// them from a registry, by transport.Open, and all else would be as it is here.
func open(upstreams []string) (*transport.Mesh, error) {
	var list []discovery.Instance
	for n, addr := range upstreams {
		i := discovery.Instance{Service: "upstream", ID: fmt.Sprint(n), Addr: addr}
		if strings.HasPrefix(addr, "unix:") { // then nobody calls the Addr
			i.Addr, i.Endpoints = "127.0.0.1:1", []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: addr}, {Protocol: discovery.GRPC, Addr: addr}}
		}
		list = append(list, i)
	}
	registry, err := discovery.NewStatic(list...)
	if err != nil {
		return nil, err
	}
	return transport.New(registry, transport.WithPolicy(balancer.RoundRobin{}), transport.WithReach(discovery.Reach{Loopback: true, Hostnames: true, UnixDir: "/"}))
}

// overHTTP trusts its clients as those of one mesh trust each other: how long they
// wait, and how important it is to them, holds for the upstream, too.
func overHTTP(mesh *transport.Mesh, l net.Listener, protocol string) (transport.Server, error) {
	var protocols http.Protocols
	protocols.SetHTTP1(protocol == "http1")
	protocols.SetUnencryptedHTTP2(protocol == "http2")
	upstreams, err := fairhttp.Config{Protocols: &protocols, MaxIdle: 4096, SendTimeout: true}.Transport(mesh, &http.Transport{DisableCompression: true})
	if err != nil {
		return nil, err
	}
	pool := buffers{&sync.Pool{New: func() any { return new([32 << 10]byte) }}}
	proxy := &httputil.ReverseProxy{Transport: upstreams, BufferPool: pool, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.RawQuery = fairhttp.Scheme, "upstream", r.In.URL.RawQuery
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		r.SetXForwarded()
	}}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") == "" { // or a fast answer is cut short, see golang.org/issue/40747 and 68560
			http.NewResponseController(w).EnableFullDuplex()
			defer r.Body.Close()
		}
		proxy.ServeHTTP(w, r)
	}
	return fairhttp.Server(&http.Server{Protocols: &protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 4096},
		Handler: fairhttp.Handler(http.HandlerFunc(handler), fairhttp.TrustTimeout(), fairhttp.TrustPriority())}, l)
}

type buffers struct{ *sync.Pool } // through which bodies are copied

func (b buffers) Get() []byte     { return b.Pool.Get().(*[32 << 10]byte)[:] }
func (b buffers) Put(lent []byte) { b.Pool.Put((*[32 << 10]byte)(lent)) }

// overGRPC passes on whatever is called, as a stream of messages that it does not
// read. Deadline, cancellation, metadata and status go along.
func overGRPC(mesh *transport.Mesh, l net.Listener, _ string) (transport.Server, error) {
	upstreams, err := grpc.NewClient("mesh:///upstream", append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(math.MaxInt32)))...)
	if err != nil {
		return nil, err
	}
	handler := func(_ any, down grpc.ServerStream) error { return pass(down, upstreams) }
	return fairgrpc.Server(grpc.NewServer(grpc.UnknownServiceHandler(handler), grpc.ForceServerCodecV2(raw{}), grpc.MaxRecvMsgSize(math.MaxInt32)), l)
}

func pass(down grpc.ServerStream, upstreams *grpc.ClientConn) error {
	method, _ := grpc.MethodFromServerStream(down)
	md, _ := metadata.FromIncomingContext(down.Context())
	ctx := metadata.NewOutgoingContext(down.Context(), md) // done when this returns
	up, err := upstreams.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return err
	}
	go func() { // ends with the call
		if forward(up.SendMsg, down.RecvMsg) == io.EOF {
			up.CloseSend()
		}
	}()
	if header, _ := up.Header(); header != nil { // else there is but a status
		down.SendHeader(header)
	}
	if err = forward(down.SendMsg, up.RecvMsg); err == io.EOF {
		err = nil
	}
	down.SetTrailer(up.Trailer())
	return err
}

// forward sends what it receives until either fails.
func forward(send, receive func(any) error) (err error) {
	for m := new(mem.BufferSlice); err == nil; {
		if err = receive(m); err == nil {
			err = send(m)
		}
	}
	return err
}

type raw struct{} // the codec of messages that are sent as they came

func (raw) Name() string                           { return "proto" }
func (raw) Marshal(v any) (mem.BufferSlice, error) { return *v.(*mem.BufferSlice), nil }
func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref() // until it is sent
	*v.(*mem.BufferSlice) = data
	return nil
}
