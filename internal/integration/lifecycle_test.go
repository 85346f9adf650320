package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/discovery/etcd"
	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
	"github.com/fairlead-go/fairlead/transport"
)

// What a mesh asks of a registry that it opens, shows and closes.
var (
	_ transport.Opener = etcd.Config{}
	_ transport.Stater = (*etcd.Registry)(nil)
)

func TestInstanceIsRegisteredSeenDrainedAndGone(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	provider, consumer := open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
	w := watch(t, consumer, "orders")
	w.until("empty list", live())

	announced, err := provider.Register(t.Context(), discovery.Instance{
		Service: "orders", ID: "a", Zone: "north-1", Version: "1.4.2", Weight: 50, Meta: map[string]string{"team": "payments"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "10.0.0.7:8080"}, {Protocol: discovery.GRPC, Addr: "10.0.0.7:9000"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := *w.until("the instance", live("a")).Instances[0]
	want := announced.Instance()
	if !seen.StartedAt.Equal(want.StartedAt) {
		t.Errorf("StartedAt = %v, want %v", seen.StartedAt, want.StartedAt)
	}
	seen.StartedAt = want.StartedAt
	if got, want := fmt.Sprint(seen), fmt.Sprint(want); got != want {
		t.Errorf("the consumer sees\n%s, want\n%s", got, want)
	}

	if err := announced.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("draining instance", func(r report) bool { return r.has("a") && r.Instances[0].Draining })
	if s := announced.State(); !s.Registered || !s.Draining {
		t.Errorf("State() = %+v, want registered and draining", s)
	}

	if err := announced.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("empty list", live())
	if s := announced.State(); s.Registered || s.Reason == "" {
		t.Errorf("State() after Close = %+v, want not registered and a reason", s)
	}
}

// A process that took over the key, with the same ID by mistake or by design,
// keeps it when its predecessor leaves.
func TestSuccessorKeepsItsKey(t *testing.T) {
	t.Parallel()
	for _, leave := range []struct {
		name string
		by   func(*etcd.Registry, discovery.Registration) error
	}{
		{"ClosingTheRegistration", func(_ *etcd.Registry, reg discovery.Registration) error { return reg.Close(t.Context()) }},
		{"ClosingTheRegistry", func(r *etcd.Registry, _ discovery.Registration) error { return r.Close(t.Context()) }},
	} {
		t.Run(leave.name, func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Shared(t)
			client := server.Client(t)
			predecessor, successor := open(t, config(t, server.Endpoint())), open(t, config(t, server.Endpoint()))
			old := register(t, predecessor, "orders", "a", "10.0.0.1:80")
			register(t, successor, "orders", "a", "10.0.0.2:80")
			taken := read(t, client, instanceKey(t, "orders", "a"))

			if err := leave.by(predecessor, old); err != nil {
				t.Fatal(err)
			}
			if now := read(t, client, instanceKey(t, "orders", "a")); now == nil || *now != *taken {
				t.Errorf("the key holds %+v after the predecessor left, want %+v", now, taken)
			}
		})
	}
}

func TestClosedRegistryRefusesAndEnds(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	r := open(t, config(t, server.Endpoint()))
	reg := register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))

	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.until("ErrClosed", func(r report) bool { return errors.Is(r.err, discovery.ErrClosed) }); r.State == discovery.Live {
		t.Errorf("with ErrClosed comes a %v", r)
	}
	if _, more := <-w.reports; more {
		t.Error("the watch goes on after ErrClosed")
	}
	if _, err := r.Register(t.Context(), discovery.Instance{Service: "orders", Addr: "10.0.0.2:80"}); !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("Register after Close: %v, want ErrClosed", err)
	}
	if err := reg.Wait(t.Context()); !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("Wait after Close: %v, want ErrClosed", err)
	}
	if err := reg.Close(t.Context()); err != nil {
		t.Errorf("closing the registration after the registry: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// All watches of a service share one of etcd's, which begins with the first of
// them and ends with the last.
func TestOneEtcdWatchPerService(t *testing.T) {
	t.Parallel()
	server := etcdtest.Shared(t)
	r := open(t, config(t, server.Endpoint()))
	if got := r.Inspect().Watches; len(got) != 0 {
		t.Fatalf("watches before the first Watch: %+v", got)
	}
	t.Run("Readers", func(t *testing.T) {
		for range 5 {
			watch(t, r, "orders").until("empty list", live())
		}
		got := r.Inspect().Watches
		if len(got) != 1 || got[0].Readers != 5 || got[0].Lists != 1 {
			t.Errorf("watches of five readers: %+v, want one with one list", got)
		}
	}) // their watches end here
	if got := r.Inspect().Watches; len(got) != 0 {
		t.Errorf("watches after the last reader left: %+v", got)
	}
}

func TestNothingIsLeftRunningAfterClose(t *testing.T) {
	server := etcdtest.Start(t)
	before := goleak.IgnoreCurrent()
	r := open(t, config(t, server.Endpoint()))
	for _, service := range []string{"orders", "users"} {
		register(t, r, service, "a", "10.0.0.1:80")
		for s := range r.Watch(t.Context(), service) {
			if len(s.Instances) == 1 {
				break
			}
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftRunningWhenEtcdIsDown(t *testing.T) {
	server := etcdtest.Start(t)
	before := goleak.IgnoreCurrent()
	r := open(t, config(t, server.Endpoint()))
	register(t, r, "orders", "a", "10.0.0.1:80")
	for s, err := range r.Watch(t.Context(), "orders") {
		if err != nil {
			break
		}
		if len(s.Instances) == 1 {
			server.Kill()
		}
	}
	if err := r.Close(t.Context()); err == nil {
		t.Error("Close returned nil though nothing could be withdrawn")
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestStateTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := open(t, config(t, server.Endpoint()))
	register(t, r, "orders", "a", "10.0.0.1:80")
	w := watch(t, r, "orders")
	w.until("the instance", live("a"))

	s := r.Inspect()
	if !s.Reads.Connected || s.Reads.Error != "" || s.Lease.ID == "" || s.Lease.Error != "" || time.Since(s.Lease.Heartbeat) > patience {
		t.Errorf("in health: %+v", s)
	}
	if len(s.Watches) != 1 || s.Watches[0].State != discovery.Live || s.Watches[0].Instances != 1 {
		t.Errorf("in health: watches %+v", s.Watches)
	}
	if !slices.ContainsFunc(s.Registrations, func(r discovery.RegistrationState) bool { return r.ID == "a" && r.Registered }) {
		t.Errorf("in health: registrations %+v", s.Registrations)
	}

	text, err := json.Marshal(r.State())
	if err != nil || !strings.Contains(string(text), `"registered":true`) || !strings.Contains(string(text), `"state":"live"`) {
		t.Errorf("as JSON: %s, %v", text, err)
	}

	server.Kill()
	eventually(t, "both connections in trouble", func() bool {
		s := r.Inspect()
		return !s.Reads.Connected && s.Reads.Error != "" && s.Lease.Error != "" &&
			s.Watches[0].State == discovery.Stale && s.Watches[0].Error != "" && s.Watches[0].Instances == 1
	})
}
