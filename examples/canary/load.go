package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-go/fairlead/examples/internal/openloop"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

const (
	rate        = 400 // calls a second through each door
	callTimeout = 3 * time.Second
)

// load calls orders through both doors at a steady rate.
type load struct {
	http *http.Client
	stub orders.OrdersClient
	conn *grpc.ClientConn

	mu    sync.Mutex // guards calls
	calls []called
}

// called is one finished call.
type called struct {
	at      time.Time // when it began
	version string    // who answered
	err     error
}

func newLoad(mesh *transport.Mesh) (*load, error) {
	conn, err := grpc.NewClient("mesh:///"+service,
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return nil, err
	}
	return &load{http: &http.Client{Transport: fairhttp.New(mesh, nil)}, stub: orders.NewOrdersClient(conn), conn: conn}, nil
}

// run calls at the rate, however long answers take, until ctx is done; then it
// waits for the last answers.
func (l *load) run(ctx context.Context) {
	over := func(call func(context.Context) (string, error)) func(context.Context, int) {
		return func(ctx context.Context, _ int) {
			at := time.Now()
			version, err := call(ctx)
			l.mu.Lock()
			l.calls = append(l.calls, called{at, version, err})
			l.mu.Unlock()
		}
	}
	openloop.Run(ctx, rate, callTimeout, over(l.overHTTP), over(l.overGRPC))
}

func (l *load) overHTTP(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://"+service+"/v1/orders/42", nil)
	if err != nil {
		return "", err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return string(body), err
}

func (l *load) overGRPC(ctx context.Context) (string, error) {
	order, err := l.stub.Get(ctx, &orders.GetRequest{Id: "42"})
	return order.GetInstance(), err
}

// between returns the finished calls that began in the given time.
func (l *load) between(from, to time.Time) (found []called) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls {
		if !c.at.Before(from) && c.at.Before(to) {
			found = append(found, c)
		}
	}
	return found
}
