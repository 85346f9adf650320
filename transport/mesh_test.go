package transport_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/bubble"
	"github.com/fairlead-go/fairlead/retry"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// Bad input is refused before anything is begun; the error names the field, the
// value and what is allowed.
func TestNewRefusesBadInput(t *testing.T) {
	tests := []struct {
		name     string
		registry discovery.Registry
		option   transport.Option
		says     []string
	}{
		{"no registry", nil, transport.WithTelemetry(transport.Off), []string{"registry", "<nil>", "a discovery.Registry"}},
		{"retry", orders(), transport.WithRetry(retry.Policy{MaxAttempts: 9}), []string{"MaxAttempts", "9", "0 (meaning 3) to 5"}},
		{"budget", orders(), transport.WithBudget(retry.BudgetConfig{Ratio: math.NaN()}), []string{"Ratio", "NaN", "to 1"}},
		{"reach", orders(), transport.WithReach(discovery.Reach{UnixDir: "run"}), []string{"Reach.UnixDir", `"run"`, "absolute path"}},
		{"snapshot dir", orders(), transport.WithSnapshotDir("snapshots"), []string{"SnapshotDir", `"snapshots"`, "an absolute path"}},
		{"level", orders(), transport.WithTelemetry(9), []string{"telemetry level", "9", "Metrics, Off or Full"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := transport.New(tt.registry, tt.option)
			if err == nil || m != nil {
				t.Fatalf("got %v, %v", m, err)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestNilOptionsMeanTheDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m, err := transport.New(fleet, transport.WithLogger(nil), transport.WithPolicy(nil),
			transport.WithMeterProvider(nil), transport.WithTracerProvider(nil), transport.WithTelemetry(transport.Full))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(t.Context())
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Error(err)
		}
	})
}

func TestNewWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := new(counting)
		newMesh(t, registry)
		synctest.Wait()
		if registry.watches.Load() != 0 {
			t.Error("a watch was begun before the first call")
		}
	})
}

// counting is a registry without a word that counts its watches.
type counting struct{ watches atomic.Int32 }

func (c *counting) Watch(ctx context.Context, _ string) iter.Seq2[discovery.Snapshot, error] {
	c.watches.Add(1)
	return func(func(discovery.Snapshot, error) bool) { <-ctx.Done() }
}

// However many first calls there are, a service is watched once.
func TestAServiceIsWatchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := new(counting)
		m := newMesh(t, registry)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() { m.Do(ctx, get(), never(t)) })
		}
		calls.Wait()
		if got := registry.watches.Load(); got != 1 {
			t.Errorf("%d watches", got)
		}
	})
}

// Close waits for all the mesh began: the bubble would find a goroutine left.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := newMesh(t, fleet)
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Fatal(err)
		}
		held, err := m.Acquire(t.Context(), get(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Register(t.Context(), fairleadtest.Instances("users", "me")[0])
		if err != nil {
			t.Fatal(err)
		}
		before := bubble.Goroutines()
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Errorf("the second Close: %v", err)
		}
		if after := bubble.Goroutines(); after >= before {
			t.Errorf("there were %d goroutines, and are %d", before, after)
		}
		if s := r.State(); s.Registered {
			t.Errorf("its registration is %+v", s)
		}

		if err := m.Do(t.Context(), get(), never(t)); asError(t, err).Stage != transport.StageClosed || !errors.Is(err, transport.ErrClosed) {
			t.Errorf("a later call to a known service: %v", err)
		}
		if err := m.Do(t.Context(), &transport.Call{Service: "users"}, never(t)); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("a later call to a new service: %v", err)
		}
		if _, err := m.Acquire(t.Context(), get(), nil); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("a later Acquire: %v", err)
		}
		if _, err := m.Views(t.Context(), "orders"); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("later Views: %v", err)
		}
		if _, err := m.Register(t.Context(), fairleadtest.Instances("users", "me")[0]); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("a later Register: %v", err)
		}
		held.Done(ended) // it was on its way
		m.Dump()

		// The registry is not the mesh's, and goes on.
		if _, err := fleet.Register(t.Context(), fairleadtest.Instances("users", "other")[0]); err != nil {
			t.Errorf("the registry was closed: %v", err)
		}
	})
}

// A call on its way goes on, with retries and all.
func TestCloseDoesNotDisturbCallsOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a", "b")
		fleet.Play("a", fairleadtest.Reset().After(time.Minute))
		m := newMesh(t, fleet, inAnyCase())
		done := make(chan error)
		go func() { done <- m.Do(t.Context(), get(), fleet.Door(m)) }()
		synctest.Wait()
		m.Close(t.Context())
		if err := <-done; err != nil || len(fleet.Called()) != 2 {
			t.Errorf("called %v: %v", fleet.Called(), err)
		}
	})
}

// Nothing else goes undone because a withdrawal took all the time there was.
func TestCloseWithARegistryThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		o := &owned{Registry: fleet}
		m, err := transport.Open(ownedRegistrar{o, fleet})
		if err != nil {
			t.Fatal(err)
		}
		m.Do(t.Context(), get(), fleet.Door(m))
		if _, err := m.Register(t.Context(), fairleadtest.Instances("users", "me")[0]); err != nil {
			t.Fatal(err)
		}
		fleet.Fail(errDown)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = m.Close(ctx)
		if !errors.Is(err, errDown) || strings.Contains(err.Error(), "watches") {
			t.Errorf("error is %v", err)
		}
		if o.closed != 1 {
			t.Error("the registry is not closed")
		}
	})
}

type ownedRegistrar struct {
	*owned
	discovery.Registrar
}

func (o ownedRegistrar) Open() (discovery.Registry, error) { return o, nil }

// A registry that ignores its context cannot hold up Close for longer than it
// was given.
func TestCloseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(deaf)
		m := newMesh(t, stuck)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m.Do(ctx, get(), never(t))
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := m.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "watches") {
			t.Errorf("error is %v", err)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("it waited %v", waited)
		}
		close(stuck)
	})
}

// deaf is a registry whose watches end when it is closed and not before.
type deaf chan struct{}

func (d deaf) Watch(context.Context, string) iter.Seq2[discovery.Snapshot, error] {
	return func(func(discovery.Snapshot, error) bool) { <-d }
}

// owned is a registry that is opened, and knows when it is closed.
type owned struct {
	discovery.Registry
	openErr, closeErr error
	closed            int
}

func (o *owned) Open() (discovery.Registry, error) {
	if o.openErr != nil {
		return nil, o.openErr
	}
	return o, nil
}

func (o *owned) Close(context.Context) error {
	o.closed++
	return o.closeErr
}

func TestOpenOwnsTheRegistry(t *testing.T) {
	failed := errors.New("cannot")
	t.Run("and closes it once", func(t *testing.T) {
		o := &owned{Registry: orders(), closeErr: failed}
		m, err := transport.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(t.Context()); !errors.Is(err, failed) {
			t.Errorf("Close does not tell that the registry's failed: %v", err)
		}
		m.Close(t.Context())
		if o.closed != 1 {
			t.Errorf("closed %d times", o.closed)
		}
	})
	t.Run("that could not be opened", func(t *testing.T) {
		if m, err := transport.Open(&owned{openErr: failed}); m != nil || err != failed {
			t.Errorf("got %v, %v", m, err)
		}
	})
	t.Run("and closes it if there is no mesh after all", func(t *testing.T) {
		o := &owned{Registry: orders()}
		m, err := transport.Open(o, transport.WithTelemetry(9))
		if m != nil || !errors.Is(err, discovery.ErrInvalid) || o.closed != 1 {
			t.Errorf("got %v, %v; closed %d times", m, err, o.closed)
		}
	})
	t.Run("and New does not", func(t *testing.T) {
		o := &owned{Registry: orders()}
		m, err := transport.New(o)
		if err != nil {
			t.Fatal(err)
		}
		m.Close(t.Context())
		if o.closed != 0 {
			t.Error("closed what is the caller's")
		}
	})
}

// Options may be kept in a slice that several meshes are made from.
func TestOpenLeavesTheOptionsAlone(t *testing.T) {
	options := make([]transport.Option, 0, 4)
	options = append(options, transport.WithTelemetry(transport.Off))
	m, err := transport.Open(&owned{Registry: orders()}, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(t.Context())
	if beyond := options[:2][1]; beyond != nil {
		t.Error("an option was written behind the caller's")
	}
}

// Two meshes in one process do not know of each other.
func TestTwoMeshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, other := orders("a"), orders("b")
		fleet.Play("a", fairleadtest.Refused())
		first, second := newMesh(t, fleet), newMesh(t, other)
		for range 5 {
			first.Do(t.Context(), get(), fleet.Door(first))
		}
		if err := second.Do(t.Context(), get(), other.Door(second)); err != nil {
			t.Fatal(err)
		}
		if s := service(t, second); s.Retries != 0 || s.Attempts["lost"] != 0 || len(s.Instances) != 1 || s.Instances[0].ID != "b" {
			t.Errorf("the second knows of the first: %+v", s)
		}
		first.Close(t.Context())
		if err := second.Do(t.Context(), get(), other.Door(second)); err != nil {
			t.Errorf("the first's Close closed the second: %v", err)
		}
	})
}
