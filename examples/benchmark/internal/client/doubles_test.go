package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// double is a server that answers in a way of its own, over all protocols.
type double struct {
	orders.UnimplementedOrdersServer
	answer func(ctx context.Context, r request) ([]byte, error)
	// most is how many messages a stream has; 0: any number.
	most int
}

// request is what a double is asked. An error answers it with 503 or UNAVAILABLE.
type request struct {
	payload          []byte
	tenant, priority string
}

func (d double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer, err := d.answer(r.Context(), request{payload, r.Header.Get("X-Tenant"), r.Header.Get(fairhttp.Priority)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Write(answer)
}

func (d double) Place(ctx context.Context, r *orders.PlaceRequest) (*orders.Order, error) {
	answer, err := d.answer(ctx, request{r.GetNote(), said(ctx, "x-tenant"), said(ctx, fairgrpc.Priority)})
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &orders.Order{Note: answer}, nil
}

// said is what the metadata of a call says.
func said(ctx context.Context, key string) string {
	return strings.Join(metadata.ValueFromIncomingContext(ctx, key), ",")
}

func (d double) PlaceEach(stream orders.Orders_PlaceEachServer) error {
	for n := 1; ; n++ {
		r, err := stream.Recv()
		if err != nil || n == d.most+1 && d.most > 0 {
			return err
		}
		order, err := d.Place(stream.Context(), r)
		if err != nil {
			return err
		}
		if err := stream.Send(order); err != nil {
			return err
		}
	}
}

// start serves d until the test ends, and returns where, by protocol.
func (d double) start(t *testing.T) map[string][]string {
	t.Helper()
	listen := func() (net.Listener, []string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l, []string{l.Addr().String()}
	}
	forHTTP, web := listen()
	forGRPC, rpc := listen()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	h, g := &http.Server{Handler: d, Protocols: protocols}, grpc.NewServer()
	orders.RegisterOrdersServer(g, d)
	go h.Serve(forHTTP)
	go g.Serve(forGRPC)
	t.Cleanup(func() { h.Close(); g.Stop() })
	return map[string][]string{scenario.HTTP1: web, scenario.HTTP2: web, scenario.GRPC: rpc, scenario.GRPCStream: rpc}
}

// short leaves out a byte of each answer.
func short(t *testing.T) map[string][]string {
	return double{answer: func(_ context.Context, r request) ([]byte, error) { return r.payload[1:], nil }}.start(t)
}

// silent never answers, not even when the time of a call is over.
func silent(t *testing.T) map[string][]string {
	ended := make(chan struct{})
	at := double{answer: func(context.Context, request) ([]byte, error) {
		<-ended
		return nil, errors.New("the test has ended")
	}}.start(t)
	t.Cleanup(func() { close(ended) })
	return at
}

// twice ends a stream after two messages, in good order.
func twice(t *testing.T) map[string][]string {
	return double{most: 2, answer: func(_ context.Context, r request) ([]byte, error) { return r.payload, nil }}.start(t)
}
