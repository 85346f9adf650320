package transport_test

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// newMesh returns a mesh that is closed, quietly unless the test gives a
// logger, when the test ends.
func newMesh(t testing.TB, registry discovery.Registry, options ...transport.Option) *transport.Mesh {
	t.Helper()
	m, err := transport.New(registry, append([]transport.Option{transport.WithLogger(slog.New(slog.DiscardHandler))}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		m.Close(ctx)
	})
	return m
}

// orders returns a fleet with one service of these instances.
func orders(ids ...string) *fairleadtest.Fleet {
	return fairleadtest.NewFleet(fairleadtest.Instances("orders", ids...)...)
}

// inTurn picks the instances in the order of their IDs.
func inTurn() transport.Option { return transport.WithPolicy(new(fairleadtest.Picks)) }

// inAnyCase does so and passes over nobody.
func inAnyCase() transport.Option {
	return transport.WithBalancing(balancer.Balancing{Policy: new(fairleadtest.Picks), OutlierDetection: balancer.OutlierDetection{Off: true}})
}

// get and put are an idempotent call and one that is not.
func get() *transport.Call {
	return &transport.Call{Service: "orders", Method: "Get", Protocol: discovery.HTTP, Idempotent: true}
}

func put() *transport.Call {
	return &transport.Call{Service: "orders", Method: "Put", Protocol: discovery.HTTP}
}

// tryFunc is an attempt half made of a function.
type tryFunc func(context.Context, *transport.Call) transport.Outcome

func (f tryFunc) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	return f(ctx, call)
}

// acquiring is an attempt that acquires and ends as f says.
func acquiring(m *transport.Mesh, f func(lease transport.Lease) transport.Outcome) transport.Attempt {
	return tryFunc(func(ctx context.Context, call *transport.Call) transport.Outcome {
		lease, err := m.Acquire(ctx, call, nil)
		if err != nil {
			return transport.Outcome{Err: err}
		}
		o := f(lease)
		lease.Done(o)
		return o
	})
}

// never is an attempt that must not be made.
func never(t *testing.T) transport.Attempt {
	return tryFunc(func(context.Context, *transport.Call) transport.Outcome {
		t.Error("an attempt was made")
		return transport.Outcome{}
	})
}

// scripted is a registry that says what the test sends it. Once it is closed,
// it ends its watches by itself.
type scripted chan word

type word struct {
	snapshot discovery.Snapshot
	err      error
}

func (s scripted) Watch(ctx context.Context, _ string) iter.Seq2[discovery.Snapshot, error] {
	return func(yield func(discovery.Snapshot, error) bool) {
		for {
			select {
			case w, ok := <-s:
				if !ok || !yield(w.snapshot, w.err) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s scripted) say(snapshot discovery.Snapshot, err error) { s <- word{snapshot, err} }

// logged is what a mesh logs, for a test to read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns the lines so far that say something.
func (l *logged) lines(something string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, something) {
			n++
		}
	}
	return n
}

func (l *logged) option() transport.Option {
	return transport.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

// service returns what a mesh says of orders.
func service(t testing.TB, m *transport.Mesh) transport.ServiceDump {
	t.Helper()
	for _, s := range m.Dump().Services {
		if s.Service == "orders" {
			return s
		}
	}
	t.Fatal("the mesh does not know orders")
	return transport.ServiceDump{}
}

// knowing waits until a mesh has a list of orders.
func knowing(t testing.TB, m *transport.Mesh) *transport.Mesh {
	t.Helper()
	views, err := m.Views(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for range views {
		return m
	}
	t.Fatal("no list came")
	return nil
}
