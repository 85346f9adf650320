package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/discoverytest"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// composite returns a registry of two that it opens, and closes with the test.
func composite(t *testing.T, rule discovery.Rule, first, second etcd.Config) *discovery.Composite {
	t.Helper()
	c, err := discovery.NewComposite(discovery.CompositeConfig{
		Rule:    rule,
		Members: []discovery.Member{{Name: "first", Open: first.Open}, {Name: "second", Open: second.Open}},
		Logger:  first.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Close(ctx) // fails where the test killed etcd
	})
	return c
}

func TestCompositeOfEtcdKeepsTheContract(t *testing.T) {
	server := etcdtest.Shared(t)
	for _, rule := range []discovery.Rule{discovery.Prefer, discovery.Merge} {
		t.Run(rule.String(), func(t *testing.T) {
			discoverytest.Run(t, discoverytest.Harness{
				New: func(t *testing.T, instances ...discovery.Instance) discoverytest.Fixture {
					first, second := config(t, server.Endpoint()), config(t, server.Endpoint())
					second.Prefix += "second/"
					c := composite(t, rule, first, second)
					return discoverytest.Fixture{Registry: c, Registrar: c, Writer: discoverytest.Through(t, c, instances...)}
				},
			})
		})
	}
}

func TestPreferredEtcdIsUsedFromWhenItIsThere(t *testing.T) {
	t.Parallel()
	server := etcdtest.New(t) // nobody listens yet
	first, second := config(t, server.Endpoint()), config(t, etcdtest.Shared(t).Endpoint())
	register(t, open(t, second), "orders", "fallback", "10.0.0.2:80")
	w := watch(t, composite(t, discovery.Prefer, first, second), "orders")
	w.until("the fallback", live("fallback"))

	server.Restart(t)
	r := register(t, open(t, first), "orders", "preferred", "10.0.0.1:80")
	w.until("the preferred", live("preferred"))
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("the fallback again", live("fallback"))
	register(t, open(t, first), "orders", "another", "10.0.0.3:80")
	w.until("the preferred again", live("another"))

	server.Kill()
	lost := w.until("the last list of the preferred", func(r report) bool { return r.State == discovery.Stale && r.has("another") })
	if lost.err == nil || !strings.HasPrefix(lost.err.Error(), "registry first: ") {
		t.Errorf("error %v; want one that names the registry", lost.err)
	}
}

func TestMergedEtcdsWhileOneIsAway(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	first, second := config(t, server.Endpoint()), config(t, etcdtest.Shared(t).Endpoint())
	register(t, open(t, first), "orders", "a", "10.0.0.1:80")
	register(t, open(t, second), "orders", "b", "10.0.0.2:80")
	w := watch(t, composite(t, discovery.Merge, first, second), "orders")
	w.until("the instances of both", live("a", "b"))

	server.Kill()
	lost := w.until("a stale list", func(r report) bool { return r.State == discovery.Stale && r.has("a", "b") })
	if lost.err == nil || !strings.HasPrefix(lost.err.Error(), "registry first: ") {
		t.Errorf("error %v; want one that names the registry", lost.err)
	}
	register(t, open(t, second), "orders", "c", "10.0.0.3:80")
	w.until("news from the other", func(r report) bool { return r.State == discovery.Stale && r.has("a", "b", "c") })

	server.Restart(t)
	w.until("the instances of both again", func(r report) bool { return r.State == discovery.Live && r.has("a", "b", "c") })
}

// A dead etcd keeps an instance neither out of the other nor in it.
func TestCompositeRegistersInOneEtcdWhileTheOtherIsAway(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	first, second := config(t, server.Endpoint()), config(t, etcdtest.Shared(t).Endpoint())
	c := composite(t, discovery.Merge, first, second)
	w := watch(t, open(t, second), "orders")
	w.until("nobody", live())

	server.Kill()
	r, err := c.Register(t.Context(), discovery.Instance{Service: "orders", ID: "a", Addr: "10.0.0.1:80"})
	if err != nil {
		t.Fatal(err)
	}
	w.until("the instance in the other", live("a"))
	if s := r.State(); s.Registered || !strings.HasPrefix(s.Reason, "registry first: ") {
		t.Errorf("State() = %+v while the first is away; want that it is not registered there", s)
	}

	server.Restart(t)
	proved(t, r)
	watch(t, open(t, first), "orders").until("the instance in the one that was away", live("a"))
	if s := r.State(); !s.Registered {
		t.Errorf("State() = %+v; want it registered", s)
	}

	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := r.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "registry first: ") {
		t.Errorf("Drain: error %v; want that there was no time for the first", err)
	}
	w.until("the instance draining in the other", func(r report) bool { return r.has("a") && r.Instances[0].Draining })
	ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "registry first: ") {
		t.Errorf("Close: error %v; want that there was no time for the first", err)
	}
	w.until("nobody in the other", live())
}
