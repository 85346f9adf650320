package discoverytest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// What every registry promises, also one that never changes.

func (s *suite) firstSnapshotIsComplete(t *testing.T) {
	all := []discovery.Instance{instance("orders", 1), instance("orders", 2), instance("orders", 3)}
	f := s.fixture(t, all...)

	if first := f.watch("orders").first(); !first.is(all...) {
		t.Errorf("the first Live snapshot is %s; want all of %d instances at once", first, len(all))
	}
}

func (s *suite) noInstancesIsKnowledge(t *testing.T) {
	f := s.fixture(t, instance("orders", 1))

	if first := f.watch("nobody").first(); !first.is() {
		t.Errorf("the first Live snapshot of a service without instances is %s; want no instances and no error", first)
	}
}

func (s *suite) instanceArrivesWhole(t *testing.T) {
	f := s.fixture(t, whole())

	f.watch("orders").untilHas(whole())
}

func (s *suite) sortedWithoutDuplicates(t *testing.T) {
	var shuffled []discovery.Instance
	for n := range 50 {
		shuffled = append(shuffled, instance("orders", 1+(n*7)%50))
	}
	f := s.fixture(t, shuffled...)

	got := f.watch("orders").untilIs(shuffled...).Instances
	for n := 1; n < len(got); n++ {
		if got[n-1].ID >= got[n].ID {
			t.Fatalf("%s comes before %s; want instances sorted by ID, each once", got[n-1].ID, got[n].ID)
		}
	}
}

// servicesAreApart has the names that a sloppy prefix or a sloppy join of key
// segments mixes up, and the same ID in all of them.
func (s *suite) servicesAreApart(t *testing.T) {
	services := []string{"user", "user-admin", "user.admin", "users", "use", "admin"}
	var all []discovery.Instance
	for n, service := range services {
		i := instance(service, 1)
		i.Weight = 100 + n
		all = append(all, i)
	}
	f := s.fixture(t, all...)

	for n, service := range services {
		if first := f.watch(service).first(); !first.is(all[n]) || first.Service != service {
			t.Errorf("the watch of %s yielded %s for service %q; want its own instance alone", service, first, first.Service)
		}
	}
}

func (s *suite) badServiceNameEndsWatch(t *testing.T) {
	f := s.fixture(t, instance("orders", 1))
	for _, name := range []string{"", "Orders", "orders/", "orders/i001", "orders..eu", "10.0.0.1", "bestellungen-für-alle"} {
		w := f.watch(name)
		if !w.over() {
			t.Fatalf("the watch of %q goes on; want its end", name)
		}
		yields := w.all()
		if len(yields) != 1 {
			t.Errorf("the watch of %q yielded %s; want one error", name, w)
			continue
		}
		if _, ok := errors.AsType[*discovery.FieldError](yields[0].err); !ok || yields[0].State == discovery.Live {
			t.Errorf("the watch of %q yielded %s; want a FieldError, and not a Live snapshot", name, yields[0])
		}
	}
}

func (s *suite) cancelEndsWatch(t *testing.T) {
	f := s.fixture(t, instance("orders", 1))

	w := f.watch("orders")
	w.first()
	w.cancel()
	if !w.over() {
		t.Fatal("the sequence goes on after its context was cancelled")
	}
	told := slices.ContainsFunc(w.all(), func(y yield) bool { return errors.Is(y.err, context.Canceled) })
	if told {
		t.Errorf("the watch yielded %s; want its caller's cancellation to be no news to him", w)
	}
}

func (s *suite) leavingTheLoopEndsWatch(t *testing.T) {
	f := s.fixture(t, instance("orders", 1))

	w := f.consume("orders", func(discovery.Snapshot) bool { return false })
	if !w.over() {
		t.Fatal("the sequence goes on after its loop was left")
	}
	if n := len(w.all()); n != 1 {
		t.Errorf("%d yields after the loop was left; want none", n-1)
	}
}

// endedWatchLeavesNoGoroutine leaves room for connections that a registry opens
// at its first watch, or shares between watches, and for goroutines that come
// and go in it; a leak in each watch exceeds that.
func (s *suite) endedWatchLeavesNoGoroutine(t *testing.T) {
	f := s.fixture(t, instance("orders", 1))
	watchAndEnd := func() {
		cancelled := f.watch("orders")
		cancelled.first()
		cancelled.cancel()
		left := f.consume("orders", func(discovery.Snapshot) bool { return false })
		if !cancelled.over() || !left.over() {
			t.Fatal("the sequence goes on")
		}
	}
	watchAndEnd()
	const rounds = 20
	before := runtime.NumGoroutine()
	for range rounds {
		watchAndEnd()
	}

	patience := time.After(s.Patience)
	tick := time.NewTicker(5 * time.Millisecond) // nothing tells when a goroutine is gone
	defer tick.Stop()
	for runtime.NumGoroutine() >= before+rounds/2 {
		select {
		case <-tick.C:
		case <-patience:
			stacks := make([]byte, 64<<10)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines before and %d after %d watches that have ended:\n%s",
				before, runtime.NumGoroutine(), 2*rounds, stacks)
		}
	}
}
