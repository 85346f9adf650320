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

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/examples/internal/openloop"
	"github.com/fairlead-go/fairlead/examples/orders"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

const (
	rate        = 250 // calls a second through each door
	leastRate   = 200 // below it a verdict would say nothing
	callTimeout = 3 * time.Second
)

// called is one finished call.
type called struct {
	at       time.Time // when it began
	took     time.Duration
	instance string // who answered
	err      error
}

// door calls one service at a steady rate and remembers every call.
type door struct {
	protocol discovery.Protocol
	service  string
	call     func(context.Context) (instance string, err error)

	mu    sync.Mutex // guards calls
	calls []called
}

// newDoors returns a client of each kind over one mesh. This is all that a
// program has to change: one line for HTTP, two for gRPC.
func newDoors(mesh *transport.Mesh) ([]*door, io.Closer, error) {
	client := &http.Client{}
	client.Transport = fairhttp.New(mesh, client.Transport)

	conn, err := grpc.NewClient("mesh:///"+grpcService,
		append(fairgrpc.DialOptions(mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return nil, nil, err
	}
	stub := orders.NewOrdersClient(conn)
	return []*door{
		{protocol: discovery.HTTP, service: httpService, call: func(ctx context.Context) (string, error) { return get(ctx, client) }},
		{protocol: discovery.GRPC, service: grpcService, call: func(ctx context.Context) (string, error) {
			order, err := stub.Get(ctx, &orders.GetRequest{Id: "42"})
			return order.GetInstance(), err
		}},
	}, conn, nil
}

func get(ctx context.Context, client *http.Client) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "mesh://"+httpService+"/42", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", response.Status)
	}
	return string(body), err
}

// run calls at the rate, however long answers take, until ctx is done; then it
// waits for the last answers.
func (d *door) run(ctx context.Context) {
	openloop.Run(ctx, rate, callTimeout, func(ctx context.Context, _ int) {
		at := time.Now()
		instance, err := d.call(ctx)
		d.mu.Lock()
		d.calls = append(d.calls, called{at, time.Since(at), instance, err})
		d.mu.Unlock()
	})
}

// between returns the finished calls that began in the given time.
func (d *door) between(from, to time.Time) []called {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []called
	for _, c := range d.calls {
		if !c.at.Before(from) && c.at.Before(to) {
			found = append(found, c)
		}
	}
	return found
}
