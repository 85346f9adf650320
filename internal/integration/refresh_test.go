package integration_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
	"github.com/fairlead-go/fairlead/transport"
)

var _ transport.Refresher = (*etcd.Registry)(nil)

// Where the connection has fallen silent and nobody could know yet, as after a
// sleep, each service that is refreshed has its news when Refresh returns, the
// second like the first.
func TestRefreshBringsTheNewsOfEveryService(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	proxy := tcpproxy.New(t, server.Endpoint())
	provider, consumer := open(t, config(t, server.Endpoint())), open(t, config(t, proxy.Addr()))
	services := []string{"orders", "users", "stock"}
	for _, s := range services {
		watch(t, consumer, s).until("empty list", live())
	}
	during(t, 11*time.Second) // from here on the connection is no longer a recent one
	proxy.Freeze()
	for _, s := range services {
		register(t, provider, s, "new", "10.0.0.1:80")
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, s := range services {
		if err := consumer.Refresh(ctx, s); err != nil {
			t.Fatal(err)
		}
		if got := first(ctx, consumer, s); !live("new")(got) {
			t.Errorf("after the refresh of %s a watch begins with a %v", s, got)
		}
	}
}

// first returns what a watch begins with.
func first(ctx context.Context, r discovery.Registry, service string) report {
	for s, err := range r.Watch(ctx, service) {
		return report{s, err}
	}
	return report{err: ctx.Err()}
}
