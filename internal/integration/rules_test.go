package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// documents follows the rules of a service and writes each word of it.
func documents(t *testing.T, r *etcd.Registry, service string) (<-chan string, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	words, done := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		defer close(words)
		for d, err := range r.Rules(ctx, service) {
			text := "none"
			if d.Text != nil {
				text = string(d.Text)
			}
			switch {
			case errors.Is(err, discovery.ErrClosed):
				text += ", closed"
			case err != nil:
				text += ", unheard"
			}
			words <- fmt.Sprintf("%s, live %t", text, d.Live)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return words, cancel
}

func expect(t *testing.T, words <-chan string, want string) {
	t.Helper()
	select {
	case got := <-words:
		if got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("not told %q", want)
	}
}

// The document of a service arrives, with its changes, its deletion, and the
// loss of touch; that of a service with a similar name does not.
func TestRulesArrive(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	store := server.Client(t)
	link := tcpproxy.New(t, server.Endpoint())
	registry, err := etcd.New(etcd.Config{Client: clientv3.Config{Endpoints: []string{link.Addr()}}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		t.Helper()
		if _, err := store.Put(t.Context(), etcd.DefaultPrefix+"rules/"+key, value); err != nil {
			t.Fatal(err)
		}
	}
	words, _ := documents(t, registry, "orders")
	expect(t, words, "none, live true")
	put("orders-v2", "other")
	put("orders", "a")
	expect(t, words, "a, live true")
	second, leave := documents(t, registry, "orders")
	expect(t, second, "a, live true")
	put("orders", "b")
	expect(t, words, "b, live true")
	expect(t, second, "b, live true")
	if all := registry.Inspect().Documents; len(all) != 1 || all[0].Key != etcd.DefaultPrefix+"rules/orders" || all[0].Readers != 2 || !all[0].Live || all[0].Bytes != 1 || all[0].Revision == 0 {
		t.Errorf("shown is %+v, want one live document with two readers", all)
	}
	leave()

	link.Cut()
	expect(t, words, "b, unheard, live false")
	if all := registry.Inspect().Documents; len(all) != 1 || all[0].Live || all[0].Error == "" {
		t.Errorf("shown is %+v, want why the document is not live", all)
	}
	put("orders", "c")
	link.Pass()
	for word := range words { // it may say b, live, first: nothing was lost of it
		if word == "c, live true" {
			break
		}
	}
	if _, err := store.Delete(t.Context(), etcd.DefaultPrefix+"rules/orders"); err != nil {
		t.Fatal(err)
	}
	expect(t, words, "none, live true")
	if err := registry.Close(t.Context()); err != nil {
		t.Error(err)
	}
	expect(t, words, "none, closed, live false")
	if _, open := <-words; open {
		t.Error("told something after the end")
	}
}
