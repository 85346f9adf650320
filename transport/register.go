package transport

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/discovery"
)

// ErrNoRegistrar says that the mesh's registry can only be read.
var ErrNoRegistrar = discovery.ErrNoRegistrar

// Register announces an instance through the mesh's registry, which must be a
// [discovery.Registrar]. The registration shows in metrics and in [Mesh.Dump]
// until its Close; Close of the mesh closes it too. Servers want [Serve].
func (m *Mesh) Register(ctx context.Context, instance discovery.Instance) (discovery.Registration, error) {
	registrar, ok := m.registry.(discovery.Registrar)
	if !ok {
		return nil, ErrNoRegistrar
	}
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	inner, err := registrar.Register(ctx, instance)
	if err != nil {
		return nil, err
	}
	r := &registration{Registration: inner, mesh: m}
	m.mu.Lock()
	closed = m.closed
	m.registrations[r] = struct{}{}
	if m.caller.Load() == nil {
		m.caller.Store(&instance.Service)
	}
	m.mu.Unlock()
	if closed { // it came while the mesh closed: withdraw it again
		return nil, errors.Join(ErrClosed, r.Close(ctx))
	}
	return r, nil
}

// registration is a registration that its mesh knows of.
type registration struct {
	discovery.Registration
	mesh *Mesh
}

func (r *registration) Close(ctx context.Context) error {
	r.mesh.mu.Lock()
	delete(r.mesh.registrations, r)
	r.mesh.mu.Unlock()
	return r.Registration.Close(ctx)
}

// registered returns the states of all registrations, sorted.
func (m *Mesh) registered() []discovery.RegistrationState {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := make([]discovery.RegistrationState, 0, len(m.registrations))
	for r := range m.registrations {
		states = append(states, r.State())
	}
	slices.SortFunc(states, func(a, b discovery.RegistrationState) int {
		return strings.Compare(a.Service+"/"+a.ID, b.Service+"/"+b.ID)
	})
	return states
}
