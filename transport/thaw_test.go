package transport_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/bubble"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// refreshable is a registry that can be asked. What the first watch of it, the
// mesh's, is told is scripted; a later one begins with what is newest.
type refreshable struct {
	scripted
	answer  func(ctx context.Context) error
	asked   atomic.Int32
	watches atomic.Int32
	newest  atomic.Pointer[word]
}

func newRefreshable() *refreshable { return &refreshable{scripted: make(scripted)} }

func (r *refreshable) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	if r.watches.Add(1) == 1 {
		return r.scripted.Watch(ctx, service)
	}
	return func(yield func(discovery.Snapshot, error) bool) {
		if w := r.newest.Load(); yield(w.snapshot, w.err) {
			<-ctx.Done()
		}
	}
}

func (r *refreshable) Refresh(ctx context.Context, _ string) error {
	r.asked.Add(1)
	return r.answer(ctx)
}

// learn returns a list of now, which new watches begin with.
func (r *refreshable) learn(ids ...string) discovery.Snapshot {
	list := listing(ids...)
	r.newest.Store(&word{list, nil})
	return list
}

// listing returns a live list as of now.
func listing(ids ...string) discovery.Snapshot {
	return discovery.Snapshot{Service: "orders", State: discovery.Live, AsOf: time.Now(), Instances: discovery.List(fairleadtest.Instances("orders", ids...)...)}
}

// told is a registry that has said that there is "old", and a mesh that knows.
func told(t *testing.T, options ...transport.Option) (*refreshable, *transport.Mesh) {
	t.Helper()
	r := newRefreshable()
	m := newMesh(t, r, options...)
	go r.say(r.learn("old"), nil)
	return r, knowing(t, m)
}

// oneCall makes a call and returns where it went and how long it took.
func oneCall(t *testing.T, ctx context.Context, m *transport.Mesh) (instance string, took time.Duration) {
	t.Helper()
	call, began := get(), time.Now()
	if err := m.Do(ctx, call, instant{m}); err != nil {
		t.Error(err)
	}
	return call.Instance(), time.Since(began)
}

const quarter = 15 * time.Minute

// The first call to a service after a freeze has its list refreshed before it
// picks, and so has every other that comes before that is done. All of them
// together cost one refresh.
func TestTheFirstCallsAfterAFreezeRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := told(t)
		r.answer = func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			r.say(r.learn("new"), nil)
			return nil
		}
		if went, took := oneCall(t, t.Context(), m); went != "old" || took != 0 || r.asked.Load() != 0 {
			t.Fatalf("before the freeze: to %s after %v, asked %d times", went, took, r.asked.Load())
		}
		for n := range int32(3) {
			transport.Freeze(m, quarter)
			var calls sync.WaitGroup
			for range 50 {
				calls.Go(func() {
					if went, took := oneCall(t, t.Context(), m); went != "new" || took != 10*time.Millisecond {
						t.Errorf("to %s after %v", went, took)
					}
				})
			}
			calls.Wait()
			if _, took := oneCall(t, t.Context(), m); took != 0 {
				t.Errorf("a later call waited %v", took)
			}
			if got := r.asked.Load(); got != n+1 {
				t.Errorf("asked %d times after %d freezes", got, n+1)
			}
		}
		if got := m.Dump().Thaws; got != 3 {
			t.Errorf("the dump tells of %d", got)
		}
	})
}

// The answer of the registry is one thing, the list that calls pick from
// another: the call waits until its watch has brought the answer. What was
// still on the way before does not count, however fresh it looks.
func TestACallWaitsUntilTheRefreshedListIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := told(t)
		r.answer = func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			between := listing("between") // younger than the question
			time.Sleep(10 * time.Millisecond)
			list := r.learn("new")
			go func() {
				r.say(between, nil)
				time.Sleep(100 * time.Millisecond)
				r.say(list, nil)
			}()
			return nil
		}
		transport.Freeze(m, quarter)
		if went, took := oneCall(t, t.Context(), m); went != "new" || took != 120*time.Millisecond {
			t.Errorf("to %s after %v", went, took)
		}
	})
}

// A list that did not change need not be given to the watch again, and then
// nobody waits for it.
func TestARefreshThatBringsNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := told(t)
		r.answer = func(context.Context) error { return nil }
		time.Sleep(time.Hour)
		transport.Freeze(m, quarter)
		if went, took := oneCall(t, t.Context(), m); went != "old" || took != 0 || r.asked.Load() != 1 {
			t.Errorf("to %s after %v, asked %d times", went, took, r.asked.Load())
		}
	})
}

// With the registry down, calls go on with what there is: at once where it says
// so, else after a second, and never for want of time: a call waits for no more
// than half of what it has. It is told, and later calls do not wait again.
func TestARefreshThatFails(t *testing.T) {
	silent := func(ctx context.Context, _ *refreshable) error {
		<-ctx.Done()
		return ctx.Err()
	}
	tests := []struct {
		name   string
		answer func(context.Context, *refreshable) error
		time   time.Duration // of the call; 0: no deadline
		waits  time.Duration
	}{
		{"down", func(context.Context, *refreshable) error { return errDown }, 0, 0},
		{"silent", silent, 0, time.Second},
		{"silent, a long deadline", silent, time.Minute, time.Second},
		{"silent, a short deadline", silent, 400 * time.Millisecond, 200 * time.Millisecond},
		{"takes longer than it may", func(context.Context, *refreshable) error {
			time.Sleep(time.Minute)
			return errDown
		}, 0, time.Second},
		{"its watch is not given the list", func(_ context.Context, r *refreshable) error {
			r.learn("never told")
			return nil
		}, 0, time.Second},
		{"down again at once", func(_ context.Context, r *refreshable) error {
			r.newest.Store(&word{listing("old"), errDown})
			return nil
		}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r, m := told(t, log.option())
				r.answer = func(ctx context.Context) error { return tt.answer(ctx, r) }
				time.Sleep(time.Nanosecond) // so that a list of now is later than the first
				transport.Freeze(m, quarter)
				ctx := t.Context()
				if tt.time > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.time)
					defer cancel()
				}
				if went, took := oneCall(t, ctx, m); went != "old" || took != tt.waits {
					t.Errorf("to %s after %v, want %v", went, took, tt.waits)
				}
				time.Sleep(time.Second)
				if went, took := oneCall(t, t.Context(), m); went != "old" || took != 0 {
					t.Errorf("a later call: to %s after %v", went, took)
				}
				time.Sleep(time.Minute)
				if lines, dumped := log.lines("not refreshed"), service(t, m).Unrefreshed; lines != 1 || dumped != 1 || r.asked.Load() != 1 {
					t.Errorf("logged %d times, the dump says %d, asked %d times", lines, dumped, r.asked.Load())
				}
			})
		})
	}
}

// A call that gives up ends for itself, not for those who wait with it.
func TestACallThatGivesUpDoesNotEndTheRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := told(t)
		r.answer = func(context.Context) error {
			time.Sleep(500 * time.Millisecond)
			r.say(r.learn("new"), nil)
			return nil
		}
		transport.Freeze(m, quarter)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() { first <- m.Do(ctx, get(), never(t)) }()
		synctest.Wait()
		time.AfterFunc(time.Millisecond, cancel)
		if went, _ := oneCall(t, t.Context(), m); went != "new" {
			t.Errorf("the other went to %s", went)
		}
		if err := <-first; !errors.Is(err, context.Canceled) || asError(t, err).Stage != transport.StageSend {
			t.Errorf("error is %v", err)
		}
	})
}

// Close ends a refresh and waits for it; the call goes on, as all do that are
// on their way.
func TestCloseDuringARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := told(t)
		r.answer = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		transport.Freeze(m, quarter)
		done := make(chan error)
		began := time.Now()
		call := get()
		go func() { done <- m.Do(t.Context(), call, instant{m}) }()
		synctest.Wait()
		m.Close(t.Context())
		if err := <-done; err != nil || call.Instance() != "old" || time.Since(began) != 0 {
			t.Errorf("to %s after %v: %v", call.Instance(), time.Since(began), err)
		}
	})
}

// A process that runs is never taken for one that was frozen, however long
// nobody calls.
func TestIdlenessIsNoFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := told(t)
		for _, idle := range []time.Duration{time.Second, 31 * time.Second, time.Hour, 24 * time.Hour} {
			time.Sleep(idle)
			oneCall(t, t.Context(), m)
		}
		transport.Freeze(m, 20*time.Second)
		oneCall(t, t.Context(), m)
		if got := r.asked.Load(); got != 0 || m.Dump().Thaws != 0 {
			t.Errorf("asked %d times", got)
		}
	})
}

// The pulse itself may be the first to run after a freeze; it does not wipe out
// the trace.
func TestAFreezeThatThePulseFindsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		r, m := told(t, log.option())
		r.answer = func(context.Context) error {
			r.say(r.learn("new"), nil)
			return nil
		}
		transport.Freeze(m, quarter)
		time.Sleep(time.Minute)
		if r.asked.Load() != 0 || log.lines("frozen") != 1 {
			t.Errorf("without a call, asked %d times, logged %d times", r.asked.Load(), log.lines("frozen"))
		}
		if went, _ := oneCall(t, t.Context(), m); went != "new" || r.asked.Load() != 1 {
			t.Errorf("to %s, asked %d times", went, r.asked.Load())
		}
	})
}

// Each service is refreshed when it is called, and one that is called for the
// first time after the freeze has a list that is fresh anyway.
func TestEachServiceIsRefreshedForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &byName{fleet: fairleadtest.NewFleet()}
		for _, s := range []string{"orders", "users", "stock"} {
			r.fleet.Add(fairleadtest.Instances(s, s)...)
		}
		m := newMesh(t, r)
		do := func(services ...string) {
			for _, s := range services {
				if err := m.Do(t.Context(), &transport.Call{Service: s, Protocol: discovery.HTTP}, instant{m}); err != nil {
					t.Error(err)
				}
			}
		}
		do("orders", "users")
		transport.Freeze(m, quarter)
		do("orders", "stock", "orders", "stock", "users")
		if got := strings.Join(r.asked, " "); got != "orders users" {
			t.Errorf("asked for %s", got)
		}
	})
}

// byName remembers which services it was asked for.
type byName struct {
	fleet *fairleadtest.Fleet
	mu    sync.Mutex
	asked []string
}

func (r *byName) Watch(ctx context.Context, service string) iter.Seq2[discovery.Snapshot, error] {
	return r.fleet.Watch(ctx, service)
}

func (r *byName) Refresh(_ context.Context, service string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, service)
	return nil
}

// With a registry that cannot be asked there is nothing to find out, and nobody
// tries: no goroutine beside the two that each service has, no clock.
func TestARegistryThatCannotBeAskedCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, orders("a"))
		before := bubble.Goroutines()
		knowing(t, m)
		synctest.Wait()
		if got := bubble.Goroutines() - before; got != 2 {
			t.Errorf("%d goroutines for a service, want two", got)
		}
	})
}

// Once a list is refreshed, calls are as cheap as before.
func TestACallLongAfterAFreezeAllocatesNothing(t *testing.T) {
	m := meshOf(t, 10)
	warm(t, m)
	transport.Freeze(m, quarter)
	warm(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var try transport.Attempt = instant{m}
	call := new(transport.Call)
	if got := testing.AllocsPerRun(1000, func() {
		*call = *get()
		if err := m.Do(ctx, call, try); err != nil {
			t.Fatal(err)
		}
	}); got != 0 || m.Dump().Thaws != 1 {
		t.Errorf("%v allocations after %d freezes", got, m.Dump().Thaws)
	}
}

// Who is gone after a freeze left in the course of it: nobody is held, as
// those who vanish at one moment are. That is so whether or not the refresh
// succeeds, and over once the list has caught up.
func TestNobodyVanishesInAFreeze(t *testing.T) {
	next := []string{"k", "l", "m"}
	for _, tt := range []struct {
		name   string
		answer error
	}{{"refreshed", nil}, {"not refreshed, and heard again later", errDown}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRefreshable()
				m := newMesh(t, r)
				go r.say(r.learn(ten...), nil)
				knowing(t, m)
				news := func() {
					r.say(listing(ten[:6]...), nil) // that was on its way
					r.say(r.learn(next...), nil)
				}
				r.answer = func(context.Context) error {
					if tt.answer == nil {
						news()
					}
					return tt.answer
				}
				time.Sleep(time.Minute)
				transport.Freeze(m, quarter)
				oneCall(t, t.Context(), m)
				if tt.answer != nil {
					r.say(r.learn(next...), nil)
				}
				synctest.Wait()
				if s := service(t, m); s.Held != 0 || len(s.Instances) != len(next) {
					t.Errorf("%d of %d are held", s.Held, len(s.Instances))
				}

				time.Sleep(time.Hour)
				r.say(listing(), nil)
				synctest.Wait()
				if s := service(t, m); s.Held != len(next) {
					t.Errorf("%d are held when all vanish at one moment", s.Held)
				}
			})
		})
	}
}

// Freezes and failed refreshes are metrics.
func TestThawMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meters := new(meters)
		r, m := told(t, transport.WithMeterProvider(meters))
		r.answer = func(context.Context) error { return errDown }
		transport.Freeze(m, quarter)
		oneCall(t, t.Context(), m)
		got := meters.collect(t).values
		for _, name := range []string{"fairlead.thaws", "fairlead.registry.refresh.failed service=orders"} {
			if got[name] != 1 {
				t.Errorf("%s is %v", name, got[name])
			}
		}
	})
}
