package faults_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/internal/integration/history"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// client is a caller in the test's own process, for calls that are looked at one
// by one.
type client struct {
	s    *scene
	mesh *transport.Mesh
	door *fairhttp.Transport
	http *http.Client
	grpc grpc_testing.TestServiceClient
	last int64 // call
}

// ownName is the client's name in the keys of its calls.
const ownName = "own"

// client opens one, which has a live list of all instances. Load does not grow
// slowly with it, so that each instance has its share from the beginning.
func (s *scene) client(options ...transport.Option) *client {
	s.Helper()
	registry := s.via(s.callerLink)
	config, err := registry.Config(new(fleet.Calls))
	if err != nil {
		s.Fatal(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	options = append([]transport.Option{
		transport.WithLogger(slog.New(slog.DiscardHandler)),
		transport.WithBalancing(balancer.Balancing{Policy: balancer.RoundRobin{}, SlowStart: balancer.SlowStart{Off: true}}),
	}, options...)
	c := &client{s: s}
	if c.mesh, err = transport.Open(config, options...); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.mesh.Close(context.Background()) })
	c.door = fairhttp.New(c.mesh, nil)
	s.Cleanup(func() { c.door.Close() })
	c.http = &http.Client{Transport: c.door}
	channel, err := grpc.NewClient("mesh:///"+service, append(fairgrpc.DialOptions(c.mesh), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { channel.Close() })
	c.grpc = grpc_testing.NewTestServiceClient(channel)
	views, err := c.mesh.Views(s.Context(), service)
	if err != nil {
		s.Fatal(err)
	}
	for v := range views {
		if len(v.Nodes) >= len(s.fleet.Running()) {
			return c
		}
	}
	s.Fatal("the client has no list")
	return nil
}

// key names the next call.
func (c *client) key(ctx context.Context) (context.Context, string) {
	c.last++
	key := history.Key(ownName, c.last)
	return transport.WithCall(ctx, transport.Key(key)), key
}

// do makes a call over HTTP. Where there is no error, the body is the caller's.
func (c *client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	ctx, key := c.key(ctx)
	req, err := http.NewRequestWithContext(ctx, method, "mesh://"+service+path, body)
	if err != nil {
		c.s.Fatal(err)
	}
	req.Header.Set(fleet.CallHeader, key)
	return c.http.Do(req)
}

// get is a call that is read to its end.
func (c *client) get(ctx context.Context) error {
	resp, err := c.do(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", resp.Status)
	}
	return err
}

// unary is a call over gRPC.
func (c *client) unary(ctx context.Context, options ...grpc.CallOption) error {
	ctx, key := c.key(ctx)
	_, err := c.grpc.UnaryCall(metadata.AppendToOutgoingContext(ctx, fleet.CallHeader, key), &grpc_testing.SimpleRequest{}, options...)
	return err
}

// executions counts those of each of the client's calls.
func (c *client) executions() map[int64]int {
	c.s.Helper()
	h := history.History{Settings: history.Settings{Caller: ownName}, Executions: map[int64]int{}}
	if err := h.ReadExecutions(c.s.fleet.Executions()...); err != nil {
		c.s.Fatal(err)
	}
	return h.Executions
}

// called is the service as the client sees it.
func (c *client) called() transport.ServiceDump {
	for _, d := range c.mesh.Dump().Services {
		if d.Service == service {
			return d
		}
	}
	return transport.ServiceDump{}
}

// inFlight adds up the attempts that are counted as outstanding.
func (c *client) inFlight() (n int) {
	for _, i := range c.called().Instances {
		n += i.Stats.Outstanding
	}
	return n
}

// few is etcd with so many instances, and nobody who calls them.
func (s *scene) few(n int) {
	s.Helper()
	s.base()
	s.fleet.Start(n)
	s.within(0, "all instances registered", func() bool { return len(s.registered()) == n })
}

// soon is within for what is measured by less than a second.
func (s *scene) soon(what string, is func() bool) time.Duration {
	s.Helper()
	return s.within(time.Second, what, is)
}
