package discoverytest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// What a registry promises when its contents change.

func (s *suite) addArrives(t *testing.T) {
	first, second := instance("orders", 1), instance("orders", 2)
	f := s.changing(t)

	w := f.watch("orders")
	w.first() // of no instances, so that nothing known starts the service off
	f.put(first)
	w.untilHas(first)
	f.put(second)
	w.untilHas(second)
}

func (s *suite) updateArrives(t *testing.T) {
	before := instance("orders", 1)
	before.Meta = map[string]string{"lane": "blue"}
	heavier := before
	heavier.Weight = 7
	green := heavier
	green.Meta = map[string]string{"lane": "green"}
	s.carried(t, before, green)
	f := s.changing(t, before)

	w := f.watch("orders")
	w.untilHas(before)
	for _, after := range []discovery.Instance{heavier, green} {
		f.put(after)
		w.untilHas(after)
	}
}

func (s *suite) drainingArrives(t *testing.T) {
	i, draining := instance("orders", 1), instance("orders", 1)
	draining.Draining = true
	s.carried(t, i, draining)
	f := s.changing(t, i)

	w := f.watch("orders")
	w.untilHas(i)
	f.put(draining)
	w.untilHas(draining)
}

func (s *suite) removeArrives(t *testing.T) {
	stays, goes := instance("orders", 1), instance("orders", 2)
	f := s.changing(t, stays, goes)

	w := f.watch("orders")
	w.untilHas(goes)
	f.remove(goes)
	if y := w.untilLacks(goes); !y.has(stays) {
		t.Errorf("the snapshot after the removal of one of two is %s; want the other one", y)
	}
}

// lastRemoveArrives is for registries that take an empty list for an accident.
func (s *suite) lastRemoveArrives(t *testing.T) {
	i := instance("orders", 1)
	f := s.changing(t, i)

	w := f.watch("orders")
	w.untilHas(i)
	f.remove(i)
	w.untilIs()
}

// everySnapshotIsComplete is for registries that hand out what has changed.
func (s *suite) everySnapshotIsComplete(t *testing.T) {
	all := []discovery.Instance{instance("orders", 1), instance("orders", 2)}
	f := s.changing(t, all...)

	w := f.watch("orders")
	w.first()
	for n := 3; n <= 5; n++ {
		added := instance("orders", n)
		all = append(all, added)
		f.put(added)
		if y := w.untilHas(added); !y.is(all...) {
			t.Fatalf("the snapshot after an addition is %s; want all of %d instances", y, len(all))
		}
	}
}

// snapshotsAreImmutable changes a set in all the ways that show when a registry
// edits what it has handed out: one that sorts before all others is added,
// fields and metadata change, one in the middle is removed.
func (s *suite) snapshotsAreImmutable(t *testing.T) {
	var all []discovery.Instance
	for n := 2; n <= 6; n++ {
		i := instance("orders", n)
		i.Meta = map[string]string{"lane": "blue"}
		i.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Addr: i.Addr}}
		all = append(all, i)
	}
	f := s.changing(t, all...)

	w := f.watch("orders")
	w.first()
	early, late := instance("orders", 1), instance("orders", 7)
	f.put(early)
	w.untilHas(early)
	changed := all[2]
	changed.Weight = 7
	changed.Meta = map[string]string{"lane": "green"}
	changed.Endpoints = []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: changed.Addr}}
	f.put(changed)
	f.remove(all[1])
	f.put(late)
	w.untilHas(late)

	for n, y := range w.all() {
		if !reflect.DeepEqual(y.kept, y.Snapshot) {
			t.Fatalf("snapshot %d was %s when it came and is %s now; want it never written to again",
				n, y, yield{Snapshot: y.kept, err: y.err})
		}
	}
}

func (s *suite) revisionGrows(t *testing.T) {
	f := s.changing(t, instance("orders", 1))

	w := f.watch("orders")
	w.first()
	for n := 2; n <= 5; n++ {
		i := instance("orders", n)
		f.put(i)
		w.untilHas(i)
	}
	yields := w.all()
	for n := 1; n < len(yields); n++ {
		if yields[n].Revision < yields[n-1].Revision {
			t.Fatalf("the revision goes back from %d to %d", yields[n-1].Revision, yields[n].Revision)
		}
	}
	if first, last := yields[0].Revision, yields[len(yields)-1].Revision; first == last {
		t.Errorf("the revision stays at %d over 4 changes; want it to grow", first)
	}
}

// servicesStayApart is servicesAreApart for the changes that follow the list,
// which often come another way.
func (s *suite) servicesStayApart(t *testing.T) {
	f := s.changing(t, instance("user", 1))

	w := f.watch("user")
	w.first()
	for n, service := range []string{"user-admin", "user.admin", "users", "use"} {
		f.put(instance(service, 10+n))
	}
	own := instance("user", 2)
	f.put(own)
	w.untilHas(own)
	for _, y := range w.all() {
		for _, i := range y.Instances {
			if i.Service != "user" {
				t.Fatalf("the watch of user yielded %s; want no instance of %s", y, i.Service)
			}
		}
	}
}

func (s *suite) lateWatchGetsCurrentSet(t *testing.T) {
	old, added := instance("orders", 1), instance("orders", 2)
	f := s.changing(t, old)

	early := f.watch("orders")
	early.first()
	f.put(added)
	early.untilHas(added)
	if first := f.watch("orders").first(); !first.is(old, added) {
		t.Errorf("a watch that came later began with %s; want what the earlier one had by then", first)
	}
}

func (s *suite) watchesAreIndependent(t *testing.T) {
	second, third := instance("orders", 2), instance("orders", 3)
	f := s.changing(t, instance("orders", 1))

	stays, cancelled := f.watch("orders"), f.watch("orders")
	left := f.consume("orders", func(snapshot discovery.Snapshot) bool { return !yield{Snapshot: snapshot}.hasID(s.Carries(second).ID) })
	for _, w := range []*watch{stays, cancelled, left} {
		w.first()
	}
	f.put(second)
	for _, w := range []*watch{stays, cancelled, left} {
		w.untilHas(second)
	}
	left.over()
	cancelled.cancel()
	cancelled.over()
	f.put(third)
	stays.untilHas(third)
}

// slowConsumerGetsLastSet makes many changes while the consumer is busy with
// its first snapshot.
func (s *suite) slowConsumerGetsLastSet(t *testing.T) {
	var first []discovery.Instance
	for n := range 8 {
		first = append(first, instance("orders", 1+n))
	}
	f := s.changing(t, first...)

	idle := make(chan struct{})
	release := sync.OnceFunc(func() { close(idle) })
	w := f.consume("orders", func(s discovery.Snapshot) bool {
		if s.State == discovery.Live {
			<-idle
		}
		return true
	})
	t.Cleanup(release)
	w.first()

	var last []discovery.Instance
	for round := range 10 {
		last = nil
		for n := range 8 { // numbers move on by one in each round
			i := instance("orders", 1+round+n)
			i.Weight = 1 + round
			f.put(i)
			last = append(last, i)
		}
		if round > 0 {
			f.remove(instance("orders", round))
		}
	}
	release()
	w.untilIs(last...)
}

// concurrentUse is for the race detector above all.
func (s *suite) concurrentUse(t *testing.T) {
	const writers, each = 4, 4
	permanent := instance("orders", 250)
	f := s.changing(t, permanent)

	var steady []*watch
	for range 4 {
		w := f.watch("orders")
		w.first()
		steady = append(steady, w)
	}
	f.must("concurrent use", func(ctx context.Context) error {
		var wg sync.WaitGroup
		errs, visits := make([]error, writers), make([]error, writers)
		for n := range writers {
			wg.Go(func() { // adds each, updates each, removes the first
				for k := range each {
					i := instance("orders", 1+n*each+k)
					errs[n] = errors.Join(errs[n], f.Writer.Put(ctx, i))
					i.Weight = 7
					errs[n] = errors.Join(errs[n], f.Writer.Put(ctx, i))
				}
				errs[n] = errors.Join(errs[n], f.Writer.Remove(ctx, "orders", instance("orders", 1+n*each).ID))
			})
			wg.Go(func() { // comes and goes
				for range each {
					got := false
					f.Registry.Watch(ctx, "orders")(func(discovery.Snapshot, error) bool { got = true; return false })
					if !got {
						visits[n] = errors.New("a watch among others yielded nothing")
					}
				}
			})
		}
		wg.Wait()
		return errors.Join(slices.Concat(errs, visits)...)
	})

	want := []discovery.Instance{permanent}
	for n := range writers * each {
		if n%each == 0 {
			continue
		}
		i := instance("orders", 1+n)
		i.Weight = 7
		want = append(want, i)
	}
	for _, w := range steady {
		w.untilIs(want...)
	}
}
