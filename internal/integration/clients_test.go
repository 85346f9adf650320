package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// crowd is somebody who watches who calls a service.
type crowd struct {
	t     *testing.T
	words chan string
}

// follow watches the clients of orders until the test ends.
func follow(t *testing.T, r discovery.ClientWatcher) *crowd {
	ctx, cancel := context.WithCancel(context.Background())
	c, ended := &crowd{t, make(chan string, 10_000)}, make(chan struct{})
	go func() {
		defer close(ended)
		defer close(c.words)
		for clients, err := range r.WatchClients(ctx, "orders") {
			c.words <- spelled(clients, err)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return c
}

// spelled writes the state, how many clients there are, which of them is the one who
// asks, what it wants and what all want, and how many records were refused.
func spelled(c discovery.Clients, err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d", c.State, c.Number)
	all := 0.0
	for _, one := range c.Clients {
		all += one.Demand["x"]
		if one.Self {
			fmt.Fprintf(&b, " me %v", one.Demand["x"])
		}
	}
	fmt.Fprintf(&b, " all %v", all)
	if c.Refused > 0 {
		fmt.Fprintf(&b, " refused %d", c.Refused)
	}
	switch {
	case errors.Is(err, discovery.ErrClosed):
		b.WriteString(" closed")
	case err != nil:
		b.WriteString(" unheard")
	}
	return b.String()
}

// until waits for a word.
func (c *crowd) until(want string) {
	c.t.Helper()
	timeout := time.After(patience)
	for last := "nothing"; ; {
		select {
		case word, open := <-c.words:
			if word == want {
				return
			}
			if !open {
				c.t.Fatalf("the watch ended; wanted %q, the last was %q", want, last)
			}
			last = word
		case <-timeout:
			c.t.Fatalf("still not %q; the last was %q", want, last)
		}
	}
}

func TestClientsSeeEachOther(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	store := server.Client(t)
	link := tcpproxy.New(t, server.Endpoint())
	a, b, c := open(t, config(t, link.Addr())), open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
	w := follow(t, a)
	w.until("live 0 all 0")
	a.ReportDemand("orders", map[string]float64{"x": 1})
	b.ReportDemand("orders", map[string]float64{"x": 10})
	c.ReportDemand("orders-v2", map[string]float64{"x": 1000})
	w.until("live 2 me 1 all 11")
	c.ReportDemand("orders", map[string]float64{"x": 100})
	w.until("live 3 me 1 all 111")
	b.ReportDemand("orders", map[string]float64{"x": 20})
	w.until("live 3 me 1 all 121")

	lease, err := store.Grant(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"bad": `{"service":7}`, "less": `{"demand":{"x":-5}}`, "old": `{"service":"cart"}`} {
		if _, err := store.Put(t.Context(), prefix(t)+"clients/orders/"+key, value, clientv3.WithLease(lease.ID)); err != nil {
			t.Fatal(err)
		}
	}
	w.until("live 5 me 1 all 121 refused 1")
	if all := a.Inspect().Clients; len(all) != 1 || all[0].Service != "orders" || all[0].Clients != 5 || all[0].Refused != 1 || all[0].State != discovery.Live || all[0].Phase != "watching" {
		t.Errorf("shown is %+v", all)
	}
	if _, err := store.Revoke(t.Context(), lease.ID); err != nil {
		t.Fatal(err)
	}
	w.until("live 3 me 1 all 121")

	// What happens while a cannot see it, and is forgotten before it can, is found.
	link.Cut()
	w.until("stale 3 me 1 all 121 unheard")
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Compact(t)
	link.Pass()
	w.until("live 2 me 1 all 21")

	// Those who come back after all was lost do, without being told to.
	server.Wipe(t)
	w.until("live 2 me 1 all 21")
	a.ReportDemand("orders", map[string]float64{"x": 2})
	w.until("live 2 me 2 all 22")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("live 1 me 2 all 2")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := ""
	for word := range w.words { // its own end may be seen before the watch ends
		last = word
	}
	if !strings.HasPrefix(last, "stale ") || !strings.HasSuffix(last, " closed") {
		t.Errorf("the last that was told is %q", last)
	}
}

// Nobody who reports or watches waits for an etcd that is not there.
func TestClientsWithoutEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.New(t)
	a := open(t, config(t, server.Endpoint()))
	began := time.Now()
	for n := range 1000 {
		a.ReportDemand("orders", map[string]float64{"x": float64(n)})
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a thousand reports took %v", took)
	}
	w := follow(t, a)
	w.until("cold 0 all 0 unheard")
	server.Restart(t)
	w.until("live 1 me 999 all 999")
}

// Who may not read the clients of a service is told so.
func TestClientsWhoMayNotRead(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	server.EnableAuth(t, etcdtest.User{Name: "orders", Password: "secret-orders", Write: prefix(t) + "instances/"})
	forbidden := config(t, server.Endpoint())
	forbidden.Client.Username, forbidden.Client.Password = "orders", "secret-orders"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for clients, err := range open(t, forbidden).WatchClients(ctx, "orders") {
		if clients.State != discovery.Cold || !errors.Is(err, discovery.ErrUnauthorized) {
			t.Errorf("told %s: %v, want that it is forbidden", spelled(clients, err), err)
		}
		return
	}
	t.Error("nothing was told")
}
