package discoverytest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// Writer changes what a registry holds, in whatever way others would. It is
// safe for concurrent use. A change may become visible after the call.
type Writer interface {
	// Put adds an instance, or replaces the one of that service and ID.
	Put(ctx context.Context, instance discovery.Instance) error
	// Remove takes away an instance that was put.
	Remove(ctx context.Context, service, id string) error
}

// Through returns a Writer that registers with r what is put, and closes the
// registration of what is removed. It has put the instances already.
func Through(t *testing.T, r discovery.Registrar, instances ...discovery.Instance) Writer {
	t.Helper()
	w := &registrarWriter{registrar: r, held: map[key]discovery.Registration{}}
	for _, i := range instances {
		if err := w.Put(t.Context(), i); err != nil {
			t.Fatalf("registering %s/%s: %v", i.Service, i.ID, err)
		}
	}
	return w
}

type registrarWriter struct {
	registrar discovery.Registrar

	mu   sync.Mutex
	held map[key]discovery.Registration // guarded by mu
}

type key struct{ service, id string }

func (w *registrarWriter) Put(ctx context.Context, i discovery.Instance) error {
	k := key{i.Service, i.ID}
	w.mu.Lock()
	r := w.held[k]
	w.mu.Unlock()
	if r != nil {
		if err := r.Update(i); err != nil {
			return err
		}
		return r.Wait(ctx)
	}
	r, err := w.registrar.Register(ctx, i)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.held[k] = r
	w.mu.Unlock()
	return r.Wait(ctx)
}

func (w *registrarWriter) Remove(ctx context.Context, service, id string) error {
	k := key{service, id}
	w.mu.Lock()
	r := w.held[k]
	delete(w.held, k)
	w.mu.Unlock()
	if r == nil {
		return fmt.Errorf("%s/%s was never put", service, id)
	}
	return r.Close(ctx)
}
