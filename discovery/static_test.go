package discovery_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// latest returns what a new watch yields first.
func latest(t *testing.T, r discovery.Registry, service string) (discovery.Snapshot, error) {
	t.Helper()
	for s, err := range r.Watch(t.Context(), service) {
		return s, err
	}
	t.Fatalf("the watch of %s yielded nothing", service)
	panic("not reached")
}

func TestStaticNormalizesTheSameInEveryProcess(t *testing.T) {
	r, err := discovery.NewStatic(discovery.Instance{
		Service:   "orders",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "[2001:DB8::7]:8080"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := latest(t, r, "orders")
	want := discovery.Instance{
		ID:        "2001:db8::7:8080",
		Service:   "orders",
		Addr:      "[2001:DB8::7]:8080",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: "[2001:DB8::7]:8080"}},
		Weight:    discovery.DefaultWeight,
	}
	if len(s.Instances) != 1 || !reflect.DeepEqual(*s.Instances[0], want) {
		t.Errorf("instances %+v, want %+v and no start time", *s.Instances[0], want)
	}
}

func TestStaticKeepsWhatIsGiven(t *testing.T) {
	r, err := discovery.NewStatic(valid())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := latest(t, r, "orders")
	if len(s.Instances) != 1 || !reflect.DeepEqual(*s.Instances[0], valid()) {
		t.Errorf("instances %+v, want %+v", *s.Instances[0], valid())
	}
}

func TestStaticRefusesBadInstances(t *testing.T) {
	for _, row := range []struct {
		name      string
		instances []discovery.Instance
		which     string // the message says so
		field     string
		value     any
	}{
		{"bad service", discovery.Addrs("Orders", "10.0.0.7:80"), "instance 0", "service", "Orders"},
		{"bad address", discovery.Addrs("orders", "10.0.0.7:80", "127.1:80"), "instance 1", "Instance.Addr", "127.1:80"},
		{"no address", []discovery.Instance{{Service: "orders", ID: "a"}}, "instance 0", "Instance.Addr", ""},
		{"one address twice", discovery.Addrs("orders", "10.0.0.7:80", "10.0.0.8:80", "10.0.0.7:80"), "orders", "Instance.ID", "10.0.0.7:80"},
		{"one address in two spellings", discovery.Addrs("orders", "[::1]:80", "[0:0::1]:80"), "orders", "Instance.ID", "::1:80"},
		{"one ID twice", []discovery.Instance{
			{ID: "a", Service: "orders", Addr: "10.0.0.7:80"},
			{ID: "a", Service: "orders", Addr: "10.0.0.8:80"},
		}, "orders", "Instance.ID", "a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := discovery.NewStatic(row.instances...)
			wantFieldError(t, err, row.field, row.value)
			if !strings.Contains(err.Error(), row.which) {
				t.Errorf("error %q does not name %s", err, row.which)
			}
			if r != nil {
				t.Error("there is a registry nevertheless")
			}
		})
	}
}

func TestStaticSameIDInTwoServices(t *testing.T) {
	r, err := discovery.NewStatic(append(discovery.Addrs("orders", "10.0.0.7:80"), discovery.Addrs("users", "10.0.0.7:80")...)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"orders", "users"} {
		if s, _ := latest(t, r, service); len(s.Instances) != 1 || s.Instances[0].Service != service {
			t.Errorf("instances of %s: %+v, want its own", service, s.Instances)
		}
	}
}

func TestStaticZeroValueKnowsThatThereIsNothing(t *testing.T) {
	s, err := latest(t, new(discovery.Static), "orders")
	if s.Service != "orders" || s.State != discovery.Live || len(s.Instances) != 0 || err != nil {
		t.Errorf("got %+v, error %v; want a Live snapshot of orders without instances", s, err)
	}
}

// A caller's slice is the caller's: what he does with it later is not seen.
func TestStaticDoesNotKeepTheCallersSlice(t *testing.T) {
	given := discovery.Addrs("orders", "10.0.0.7:80", "10.0.0.8:80")
	r, err := discovery.NewStatic(given...)
	if err != nil {
		t.Fatal(err)
	}
	given[0].Addr = "10.0.0.9:80"
	if s, _ := latest(t, r, "orders"); s.Instances[0].Addr != "10.0.0.7:80" {
		t.Errorf("the caller's change arrived: %+v", s.Instances)
	}
}

func TestStaticYieldsOnceAndStaysUntilCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := discovery.NewStatic(discovery.Addrs("orders", "10.0.0.7:80")...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("an hour is over"))
		defer cancel()
		yields := 0
		for range r.Watch(ctx, "orders") {
			yields++
		}
		if yields != 1 || ctx.Err() == nil {
			t.Errorf("%d yields, context: %v; want 1 and then nothing until it is done", yields, ctx.Err())
		}
	})
}

func TestAddrs(t *testing.T) {
	got := discovery.Addrs("orders", "10.0.0.7:8080", "[2001:db8::7]:8080", "[2001:DB8:0::7]:8081", "nonsense]")
	want := []discovery.Instance{
		{ID: "10.0.0.7:8080", Service: "orders", Addr: "10.0.0.7:8080"},
		{ID: "2001:db8::7:8080", Service: "orders", Addr: "[2001:db8::7]:8080"},
		{ID: "2001:db8::7:8081", Service: "orders", Addr: "[2001:DB8:0::7]:8081"},
		{ID: "nonsense", Service: "orders", Addr: "nonsense]"}, // for whoever checks it
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Addrs() = %+v\nwant %+v", got, want)
	}
	if got := discovery.Addrs("orders"); len(got) != 0 {
		t.Errorf("Addrs() of nothing = %+v", got)
	}
}
