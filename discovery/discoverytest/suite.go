package discoverytest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// suite is one run against one harness.
type suite struct {
	Harness
	deaf atomic.Bool // a cancelled watch did not end; no use waiting for others
}

// fixture is the Fixture of one sub-test.
type fixture struct {
	Fixture
	t     *testing.T
	suite *suite
}

func (s *suite) fixture(t *testing.T, instances ...discovery.Instance) *fixture {
	t.Helper()
	return &fixture{s.New(t, instances...), t, s}
}

// changing skips the test where the registry cannot change.
func (s *suite) changing(t *testing.T, instances ...discovery.Instance) *fixture {
	t.Helper()
	f := s.fixture(t, instances...)
	if f.Writer == nil {
		t.Skip("the fixture has no Writer")
	}
	return f
}

// registering skips the test where there is no registrar.
func (s *suite) registering(t *testing.T) *fixture {
	t.Helper()
	f := s.fixture(t)
	if f.Registrar == nil {
		t.Skip("the fixture has no Registrar")
	}
	return f
}

func (f *fixture) put(i discovery.Instance) {
	f.t.Helper()
	f.must("Put "+i.ID, func(ctx context.Context) error { return f.Writer.Put(ctx, i) })
}

func (f *fixture) remove(i discovery.Instance) {
	f.t.Helper()
	f.must("Remove "+i.ID, func(ctx context.Context) error { return f.Writer.Remove(ctx, i.Service, i.ID) })
}

func (f *fixture) register(i discovery.Instance) discovery.Registration {
	f.t.Helper()
	var r discovery.Registration
	f.must("Register and Wait", func(ctx context.Context) (err error) {
		if r, err = f.Registrar.Register(ctx, i); err != nil {
			return err
		}
		return r.Wait(ctx)
	})
	return r
}

// must fails the test unless call returns nil in time, even where it does not
// listen to its context.
func (f *fixture) must(what string, call func(context.Context) error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), f.suite.Patience)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- call(ctx) }() // ends with the call
	select {
	case err := <-result:
		if err != nil {
			f.t.Fatalf("%s: %v", what, err)
		}
	case <-time.After(2 * f.suite.Patience):
		f.t.Fatalf("%s still hangs, long after its context ended", what)
	}
}

// instance is the nth instance of service. All that a registrar would fill in
// is filled in.
func instance(service string, n int) discovery.Instance {
	return discovery.Instance{
		ID:        fmt.Sprintf("i%03d", n),
		Service:   service,
		Addr:      fmt.Sprintf("192.0.2.%d:8080", n), // reserved for documentation; nobody dials it
		Weight:    discovery.DefaultWeight,
		StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// whole has something in each of its fields.
func whole() discovery.Instance {
	return discovery.Instance{
		ID:      "7f3a.B_c-d:1",
		Service: "orders",
		Addr:    "[2001:db8::7]:8080",
		Endpoints: []discovery.Endpoint{
			{Protocol: discovery.HTTP, Addr: "[2001:db8::7]:8080"},
			{Protocol: discovery.GRPC, Addr: "192.0.2.7:9090"},
			{Protocol: discovery.GRPC, Addr: "unix:/run/fairlead/orders.sock"},
		},
		Weight:    250,
		Region:    "eu-north",
		Zone:      "eu-north-1b",
		Version:   "2.1.0+build.7",
		BootID:    "0d7d7e8c-0001-4e22-a4d1-6f0b6bb1d3d8",
		StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC),
		Meta:      map[string]string{"lane": "blue", "note": `<a "quoted" & empty one follows>`, "empty": ""},
	}
}

// text is all there is to an instance, for comparisons and messages.
func text(i discovery.Instance) string {
	i.StartedAt = i.StartedAt.UTC()
	b, err := json.Marshal(i)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
