package discoverytest

import (
	"context"
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// What a registrar promises.

func (s *suite) registerArrives(t *testing.T) {
	i := instance("orders", 1)
	i.Zone = "eu-north-1b"
	f := s.registering(t)

	f.register(i)
	f.watch("orders").untilHas(i)
}

func (s *suite) registerFillsIn(t *testing.T) {
	f := s.registering(t)

	got := f.register(discovery.Instance{
		Service: "orders",
		Endpoints: []discovery.Endpoint{
			{Protocol: discovery.HTTP, Addr: "192.0.2.1:8080"},
			{Protocol: discovery.GRPC, Addr: "192.0.2.1:9090"},
		},
	}).Instance()
	if got.ID == "" || got.Addr != "192.0.2.1:9090" || got.Weight != discovery.DefaultWeight || got.StartedAt.IsZero() {
		t.Errorf("Instance() = %s; want an ID, the address of the gRPC endpoint, the default weight and a start time", text(got))
	}
	f.watch("orders").untilHas(got)
}

// badInstanceIsRefused looks at the registry after a good instance has arrived
// there: what the bad ones changed would have arrived before.
func (s *suite) badInstanceIsRefused(t *testing.T) {
	f := s.registering(t)
	for _, bad := range badInstances() {
		i := instance("orders", 1)
		bad.spoil(&i)
		r, err := f.Registrar.Register(t.Context(), i)
		if _, ok := errors.AsType[*discovery.FieldError](err); !ok {
			t.Errorf("Register with %s: error %v, want a FieldError", bad.what, err)
		}
		if r != nil {
			t.Errorf("Register with %s returned a registration", bad.what)
		}
	}
	good := instance("orders", 2)
	f.register(good)
	if y := f.watch("orders").untilHas(good); !y.is(good) {
		t.Errorf("the registry has %s; want no trace of what was refused", y)
	}
}

func (s *suite) takenIDIsRefused(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	_, err := f.Registrar.Register(t.Context(), i)
	if _, ok := errors.AsType[*discovery.FieldError](err); !ok {
		t.Errorf("Register of an ID that the service already has: error %v, want a FieldError", err)
	}
	if !r.State().Registered {
		t.Errorf("State() = %+v of the registration that was there before; want it registered", r.State())
	}
	elsewhere := instance("users", 1)
	f.register(elsewhere) // the same ID there is another instance
}

func (s *suite) registrationsAreIndependent(t *testing.T) {
	goes, stays, other := instance("orders", 1), instance("orders", 2), instance("users", 1)
	f := s.registering(t)

	r := f.register(goes)
	f.register(stays)
	f.register(other)
	orders, users := f.watch("orders"), f.watch("users")
	orders.untilIs(goes, stays)
	users.untilIs(other)
	f.must("Close", r.Close)
	if y := orders.untilLacks(goes); !y.is(stays) {
		t.Errorf("after one of two registrations was closed: %s; want the other", y)
	}
	if y := f.watch("users").first(); !y.is(other) {
		t.Errorf("after a registration of another service was closed: %s; want %s", y, text(other))
	}
}

func (s *suite) stateTellsRegistered(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	got := r.State()
	if !got.Registered || got.Reason != "" || got.Service != i.Service || got.ID != i.ID || got.Draining || got.Since.IsZero() {
		t.Errorf("State() = %+v once the registry holds it; want %s/%s registered since some time, no reason", got, i.Service, i.ID)
	}
	f.must("Close", r.Close)
	if got := r.State(); got.Registered || got.Reason == "" {
		t.Errorf("State() = %+v after Close; want it not registered, for a reason", got)
	}
}

func (s *suite) registrationUpdateArrives(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	w := f.watch("orders")
	w.untilHas(i)
	i.Weight, i.Version, i.Meta = 7, "2.0", map[string]string{"lane": "green"}
	if err := r.Update(i); err != nil {
		t.Fatalf("Update: %v", err)
	}
	f.must("Wait", r.Wait)
	w.untilHas(i)
	if got := r.Instance(); text(got) != text(i) {
		t.Errorf("Instance() = %s after Update, want %s", text(got), text(i))
	}
}

func (s *suite) badUpdateIsRefused(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	for _, bad := range badInstances() {
		spoiled := i
		bad.spoil(&spoiled)
		if _, ok := errors.AsType[*discovery.FieldError](r.Update(spoiled)); !ok {
			t.Errorf("Update with %s: want a FieldError", bad.what)
		}
	}
	if got := r.Instance(); text(got) != text(i) {
		t.Errorf("Instance() = %s after refused updates, want %s", text(got), text(i))
	}
}

func (s *suite) updateKeepsIdentity(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	for _, other := range []discovery.Instance{instance("orders", 2), instance("users", 1)} {
		if _, ok := errors.AsType[*discovery.FieldError](r.Update(other)); !ok {
			t.Errorf("Update of orders/i001 to %s/%s: want a FieldError", other.Service, other.ID)
		}
	}
}

func (s *suite) drainArrives(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	w := f.watch("orders")
	w.untilHas(i)
	f.must("Drain", r.Drain)
	i.Draining = true
	w.untilHas(i)
	if got := r.State(); !got.Draining || !got.Registered {
		t.Errorf("State() = %+v after Drain; want it draining, and still registered", got)
	}
}

func (s *suite) closeWithdraws(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	w := f.watch("orders")
	w.untilHas(i)
	f.must("Close", r.Close)
	w.untilIs()
}

func (s *suite) closeTwice(t *testing.T) {
	f := s.registering(t)

	r := f.register(instance("orders", 1))
	f.must("Close", r.Close)
	f.must("second Close", r.Close)
}

func (s *suite) closedIsClosed(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	f.must("Close", r.Close)
	for what, call := range map[string]func(context.Context) error{
		"Update": func(context.Context) error { return r.Update(i) },
		"Drain":  r.Drain,
		"Wait":   r.Wait,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), s.Patience)
		if err := call(ctx); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("%s after Close: error %v, want ErrClosed", what, err)
		}
		cancel()
	}
}

func (s *suite) registerAgainAfterClose(t *testing.T) {
	i := instance("orders", 1)
	f := s.registering(t)

	r := f.register(i)
	f.must("Close", r.Close)
	i.Weight = 7
	f.register(i)
	f.watch("orders").untilHas(i)
}

type badInstance struct {
	what  string
	spoil func(*discovery.Instance)
}

// badInstances is one of each kind; which values are bad is a matter of
// Instance.Validate and its own tests.
func badInstances() []badInstance {
	return []badInstance{
		{"a bad service name", func(i *discovery.Instance) { i.Service = "Orders/" }},
		{"a bad ID", func(i *discovery.Instance) { i.ID = "../i001" }},
		{"no address", func(i *discovery.Instance) { i.Addr = "" }},
		{"an address in disguise", func(i *discovery.Instance) { i.Addr = "0x7f.1:8080" }},
		{"a negative weight", func(i *discovery.Instance) { i.Weight = -1 }},
		{"a bad endpoint", func(i *discovery.Instance) {
			i.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "unix:orders.sock"}}
		}},
		{"a line break in its metadata", func(i *discovery.Instance) { i.Meta = map[string]string{"lane": "blue\n"} }},
	}
}
