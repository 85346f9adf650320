package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/internal/integration/grpcproxy"
	"github.com/fairlead-go/fairlead/internal/integration/worker"
)

func TestMain(m *testing.M) {
	roles := grpcproxy.Roles()
	roles[sharerRole] = worker.Given(share)
	worker.Play(roles)
	etcdtest.Main(m)
}

// patience is how long to wait for what has to come. Only a broken promise
// makes anybody wait that long.
const patience = 45 * time.Second

// config is that of a registry of the test's own prefix.
func config(t *testing.T, endpoints ...string) etcd.Config {
	return etcd.Config{
		Client: clientv3.Config{Endpoints: endpoints},
		Prefix: prefix(t),
		TTL:    etcd.MinTTL,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func prefix(t *testing.T) string { return "test/" + strings.ReplaceAll(t.Name(), "/", "-") + "/" }

// instanceKey is where the record of an instance stands.
func instanceKey(t *testing.T, service, id string) string {
	return prefix(t) + "instances/" + service + "/" + id
}

// open returns a registry that is closed with the test.
func open(t *testing.T, c etcd.Config) *etcd.Registry {
	t.Helper()
	r, err := etcd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.Close(ctx) // fails where the test killed etcd
	})
	return r
}

// register announces instance and waits until it is proved.
func register(t *testing.T, r *etcd.Registry, service, id, addr string) discovery.Registration {
	t.Helper()
	reg, err := r.Register(t.Context(), discovery.Instance{Service: service, ID: id, Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, reg)
	return reg
}

func proved(t *testing.T, reg discovery.Registration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := reg.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// watching is somebody who watches a service.
type watching struct {
	t       *testing.T
	reports chan report
}

type report struct {
	discovery.Snapshot
	err error
}

func (r report) String() string {
	return fmt.Sprintf("%s list of %v at revision %d (error: %v)", r.State, r.ids(), r.Revision, r.err)
}

func (r report) ids() []string {
	ids := []string{}
	for _, i := range r.Instances {
		ids = append(ids, i.ID)
	}
	return ids
}

// has reports whether the snapshot holds exactly these IDs, in order.
func (r report) has(ids ...string) bool { return strings.Join(r.ids(), " ") == strings.Join(ids, " ") }

// live reports whether the snapshot is live and holds exactly these IDs.
func live(ids ...string) func(report) bool {
	return func(r report) bool { return r.State == discovery.Live && r.err == nil && r.has(ids...) }
}

// watch watches service until the test ends.
func watch(t *testing.T, r discovery.Registry, service string) *watching {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{t: t, reports: make(chan report, 10_000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(w.reports)
		for s, err := range r.Watch(ctx, service) {
			w.reports <- report{s, err}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// until returns the first report, from the one after the last one seen, that
// is as wanted.
func (w *watching) until(what string, wanted func(report) bool) report {
	w.t.Helper()
	timeout := time.After(patience)
	last := report{}
	for {
		select {
		case r, ok := <-w.reports:
			if !ok {
				w.t.Fatalf("the watch ended; wanted %s, the last report was %v", what, last)
			}
			if wanted(r) {
				return r
			}
			last = r
		case <-timeout:
			w.t.Fatalf("still no %s; the last report was %v", what, last)
		}
	}
}

// rest returns the reports that are there already.
func (w *watching) rest() []report {
	var all []report
	for len(w.reports) > 0 {
		all = append(all, <-w.reports)
	}
	return all
}

// eventually waits until ready, by asking again and again.
func eventually(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !ready(); <-tick.C {
		if time.Since(began) > patience {
			t.Fatalf("still not: %s", what)
		}
	}
}

// during lets time pass, for things that must not happen meanwhile.
func during(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// record reads the key of an instance: nil if there is none.
type stored struct {
	value  string
	lease  clientv3.LeaseID
	create int64
}

func read(t *testing.T, c *clientv3.Client, key string) *stored {
	t.Helper()
	r, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kvs) == 0 {
		return nil
	}
	return &stored{string(r.Kvs[0].Value), clientv3.LeaseID(r.Kvs[0].Lease), r.Kvs[0].CreateRevision}
}
