package target

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
	"github.com/fairlead-go/fairlead/examples/orders"
)

// instance answers with what it got, once it has worked as the call says: the
// path over HTTP and the item of the order over gRPC are the name of a handler.
type instance struct {
	millisecond burner
	onward      func() call // what one goroutine calls the next hop with
	calls       atomic.Int64
}

// call is one call to the next hop; nil: there is none.
type call func(context.Context) error

// knows reports whether there is such a handler.
func knows(handler string) bool {
	return handler == scenario.Thin || handler == scenario.Heavy || handler == scenario.Chain
}

func (i *instance) work(ctx context.Context, handler string, next call) error {
	i.calls.Add(1)
	switch {
	case handler == scenario.Heavy:
		i.millisecond.burn()
	case handler == scenario.Chain && next != nil:
		return next(ctx)
	}
	return nil
}

// ServeHTTP says how long its answers are, as most that know it do: so proxies
// need not chunk them.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler, found := strings.CutPrefix(r.URL.Path, "/orders/")
	if !found || !knows(handler) {
		http.NotFound(w, r)
		return
	}
	body, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := i.work(r.Context(), handler, i.onward()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header()["Content-Type"] = octets
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// octets is shared by all answers, so it must not be written to.
var octets = []string{"application/octet-stream"}

// read returns the body, without growing a buffer step by step where its length
// is known.
func read(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > 1<<20 {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// desk is an instance for gRPC.
type desk struct {
	orders.UnimplementedOrdersServer
	*instance
}

func (d desk) Place(ctx context.Context, r *orders.PlaceRequest) (*orders.Order, error) {
	return d.place(ctx, r, d.onward())
}

// PlaceEach has a stream to the next hop for each that it answers.
func (d desk) PlaceEach(stream orders.Orders_PlaceEachServer) error {
	next := d.onward()
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		order, err := d.place(stream.Context(), r, next)
		if err != nil {
			return err
		}
		if err := stream.Send(order); err != nil {
			return err
		}
	}
}

func (d desk) place(ctx context.Context, r *orders.PlaceRequest, next call) (*orders.Order, error) {
	if !knows(r.GetItem()) {
		return nil, status.Errorf(codes.InvalidArgument, "item %q: allowed are the handlers", r.GetItem())
	}
	if err := d.work(ctx, r.GetItem(), next); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &orders.Order{Note: r.GetNote()}, nil
}
