package fairleadtest

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/fairlead-go/fairlead/discovery"
)

// Fleet is a set of services in memory: a [discovery.Registry] and
// [discovery.Registrar], an [http.RoundTripper] that reaches the instances, and
// a record of the attempts made. IDs of instances are unique in it. It is safe
// for concurrent use. What a test tells it wrong, such as the ID of nobody, is a
// panic.
//
// Fail and Heal, of the [discovery.Memory] inside, cut the registry off and
// bring it back; the instances themselves can be reached all the time.
type Fleet struct {
	discovery.Memory

	mu            sync.Mutex                        // guards what follows
	registrations map[string]discovery.Registration // by ID, of all that ever were in
	ids           map[string]string                 // by address, of all that ever were in
	handler       http.Handler
	scripts       map[string][]Reply // by ID: what is to be played next
	attempts      []*Attempt
}

// NewFleet returns a fleet of these instances.
func NewFleet(instances ...discovery.Instance) *Fleet {
	f := &Fleet{
		registrations: map[string]discovery.Registration{},
		ids:           map[string]string{},
		scripts:       map[string][]Reply{},
	}
	f.Add(instances...)
	return f
}

// Add announces further instances.
func (f *Fleet) Add(instances ...discovery.Instance) {
	for _, i := range instances {
		if _, err := f.Register(context.Background(), i); err != nil {
			panic(fmt.Errorf("fairleadtest: %w", err))
		}
	}
}

// Register implements [discovery.Registrar], for instances that announce
// themselves.
func (f *Fleet) Register(ctx context.Context, instance discovery.Instance) (discovery.Registration, error) {
	r, err := f.Memory.Register(ctx, instance)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.registrations[r.Instance().ID] = r
	f.reachLocked(r.Instance())
	return r, nil
}

// reachLocked makes RoundTrip find an instance at its addresses.
func (f *Fleet) reachLocked(i discovery.Instance) {
	f.ids[i.Addr] = i.ID
	for _, e := range i.Endpoints {
		f.ids[e.Addr] = i.ID
	}
}

// Remove takes instances out of the registry, as if they had died or the
// registry had lost them. A mesh that heard of no Drain before holds on to many
// that vanish together, and to the last: see [balancer.Protection].
func (f *Fleet) Remove(ids ...string) {
	for _, id := range ids {
		// A registry that is cut off must not hold up the test.
		now, cancel := context.WithCancel(context.Background())
		cancel()
		f.registration(id).Close(now)
	}
}

// Update announces an instance with other properties; its ID says which.
func (f *Fleet) Update(instance discovery.Instance) {
	r := f.registration(instance.ID)
	if err := r.Update(instance); err != nil {
		panic(fmt.Errorf("fairleadtest: %w", err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reachLocked(r.Instance())
}

// Drain announces that instances want no more calls.
func (f *Fleet) Drain(ids ...string) {
	for _, id := range ids {
		i := f.registration(id).Instance()
		i.Draining = true
		f.Update(i)
	}
}

func (f *Fleet) registration(id string) discovery.Registration {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.registrations[id]
	if !ok {
		panic(fmt.Errorf("fairleadtest: the fleet has no instance %q", id))
	}
	return r
}
