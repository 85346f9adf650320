package integration_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// Readiness fails and comes back while etcd is away, so that the withdrawal
// cannot be finished before the next announcement. The server goes on, and is
// announced when etcd is back.
func TestReadinessFlapsWhileEtcdIsAway(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	m, err := transport.Open(config(t, server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := fairhttp.Server(&http.Server{Handler: http.NotFoundHandler()}, l)
	if err != nil {
		t.Fatal(err)
	}
	var down atomic.Bool
	var asked atomic.Int64 // since down last changed
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- transport.Serve(ctx, m, discovery.Instance{Service: "orders"}, transport.ServeConfig{
			Ready: func(context.Context) error {
				asked.Add(1)
				if down.Load() {
					return errors.New("database away")
				}
				return nil
			},
			ReadyInterval: 100 * time.Millisecond, AnnounceInterval: time.Nanosecond, RegistryTimeout: time.Second, Grace: 1, DeleteGrace: 1,
		}, s)
	}()
	registered := func() bool {
		r := m.Dump().Registrations
		return len(r) == 1 && r[0].Registered
	}
	eventually(t, "the instance is registered", registered)
	server.Kill()
	for _, is := range []bool{true, false} {
		down.Store(is)
		asked.Store(0)
		eventually(t, "readiness was asked for a while", func() bool { return asked.Load() >= 10 })
	}
	server.Restart(t)
	eventually(t, "the instance is registered again", registered)
	select {
	case err := <-ended:
		t.Fatalf("Serve ended: %v", err)
	default:
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
