package discovery_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

var errAway = errors.New("the registry is away")

// journal follows a watch. It belongs to a synctest bubble: after
// synctest.Wait it holds all that the watch had to say.
type journal struct {
	mu     sync.Mutex
	yields []entry
	ended  bool
}

type entry struct {
	discovery.Snapshot
	err error
}

func follow(ctx context.Context, r discovery.Registry, service string) *journal {
	j := new(journal)
	go func() { // ends with the watch; the bubble waits for it
		for s, err := range r.Watch(ctx, service) {
			j.mu.Lock()
			j.yields = append(j.yields, entry{s, err})
			j.mu.Unlock()
		}
		j.mu.Lock()
		j.ended = true
		j.mu.Unlock()
	}()
	return j
}

// take returns what was yielded since the last take.
func (j *journal) take() (yields []entry, ended bool) {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	yields, j.yields = j.yields, nil
	return yields, j.ended
}

// one wants exactly one new entry.
func (j *journal) one(t *testing.T) entry {
	t.Helper()
	yields, _ := j.take()
	if len(yields) != 1 {
		t.Fatalf("%d new yields %+v, want 1", len(yields), yields)
	}
	return yields[0]
}

func (e entry) ids() []string {
	var ids []string
	for _, i := range e.Instances {
		ids = append(ids, i.ID)
	}
	return ids
}

func (e entry) want(t *testing.T, state discovery.State, err error, ids ...string) {
	t.Helper()
	if e.State != state || !errors.Is(e.err, err) || !slices.Equal(e.ids(), ids) {
		t.Errorf("got %s %q, error %v; want %s %q, error %v", e.State, e.ids(), e.err, state, ids, err)
	}
}

func register(t *testing.T, m *discovery.Memory, id string) discovery.Registration {
	t.Helper()
	i := valid()
	i.ID = id
	r, err := m.Register(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bubble gives a Memory and one watch of orders that ends with the test.
func bubble(t *testing.T, test func(t *testing.T, m *discovery.Memory, orders *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := new(discovery.Memory)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		test(t, m, follow(ctx, m, "orders"))
	})
}

func TestMemoryYieldsOncePerChange(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, orders *journal) {
		orders.one(t).want(t, discovery.Live, nil)
		b := register(t, m, "b")
		orders.one(t).want(t, discovery.Live, nil, "b")
		register(t, m, "a")
		orders.one(t).want(t, discovery.Live, nil, "a", "b")
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		orders.one(t).want(t, discovery.Live, nil, "a")

		i := valid()
		i.Service = "users"
		if _, err := m.Register(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if yields, _ := orders.take(); len(yields) != 0 {
			t.Errorf("a change of another service was told: %+v", yields)
		}
	})
}

func TestMemorySnapshotSaysWhen(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, orders *journal) {
		first := orders.one(t)
		time.Sleep(time.Minute)
		r := register(t, m, "a")
		second := orders.one(t)
		if got := second.AsOf.Sub(first.AsOf); got != time.Minute {
			t.Errorf("AsOf moved on by %v in a minute", got)
		}
		if second.Revision <= first.Revision {
			t.Errorf("revision %d after %d, want it to grow", second.Revision, first.Revision)
		}
		if s := r.State(); !s.Registered || !s.Since.Equal(second.AsOf) {
			t.Errorf("State() = %+v; want it registered since %v", s, second.AsOf)
		}
	})
}

func TestMemoryStateSaysSinceWhen(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		want := func(r discovery.Registration, registered bool, since time.Time) {
			t.Helper()
			if s := r.State(); s.Registered != registered || !s.Since.Equal(since) {
				t.Errorf("State() = %+v; want registered %t since %v", s, registered, since)
			}
		}
		m.Fail(errAway)
		r := register(t, m, "a")
		asked := time.Now()
		time.Sleep(time.Minute)
		want(r, false, asked)

		m.Heal()
		seen := time.Now()
		time.Sleep(time.Minute)
		if err := r.Drain(t.Context()); err != nil { // changes something else
			t.Fatal(err)
		}
		want(r, true, seen)

		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		closed := time.Now()
		time.Sleep(time.Minute)
		want(r, false, closed)
	})
}

func TestMemoryFailKeepsTheLastGoodSet(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, orders *journal) {
		register(t, m, "a")
		orders.take()
		time.Sleep(time.Minute)
		m.Fail(errAway)
		stale := orders.one(t)
		stale.want(t, discovery.Stale, errAway, "a")
		if !stale.AsOf.Equal(time.Now()) {
			t.Errorf("AsOf = %v, want the moment of the failure, %v", stale.AsOf, time.Now())
		}

		since := time.Now()
		time.Sleep(time.Minute)
		worse := errors.New("worse")
		m.Fail(worse)
		again := orders.one(t)
		again.want(t, discovery.Stale, worse, "a")
		if !again.AsOf.Equal(since) {
			t.Errorf("AsOf = %v while stale, want %v still", again.AsOf, since)
		}

		m.Heal()
		orders.one(t).want(t, discovery.Live, nil, "a")
	})
}

func TestMemoryFailIsColdWhereNobodyHadAsked(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		m.Fail(errAway)
		users := follow(t.Context(), m, "users")
		users.one(t).want(t, discovery.Cold, errAway)
		m.Heal()
		users.one(t).want(t, discovery.Live, nil)
		m.Close() // ends the watch
	})
}

func TestMemoryFailHoldsChangesBackUntilHeal(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, orders *journal) {
		stays, goes := register(t, m, "stays"), register(t, m, "goes")
		m.Fail(errAway)
		orders.take()

		added := register(t, m, "added")
		i := stays.Instance()
		i.Weight = 7
		if err := stays.Update(i); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for what, err := range map[string]error{
			"Wait of what was registered": added.Wait(ctx),
			"Wait of what was updated":    stays.Wait(ctx),
			"Drain":                       stays.Drain(ctx),
			"Close":                       goes.Close(ctx),
		} {
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errAway) {
				t.Errorf("%s: error %v; want that the time is over, and why", what, err)
			}
		}
		if yields, _ := orders.take(); len(yields) != 0 {
			t.Errorf("changes got through: %+v", yields)
		}
		if s := added.State(); s.Registered || s.Reason != errAway.Error() {
			t.Errorf("State() = %+v of what was registered; want it not registered, because the registry is away", s)
		}
		if s := stays.State(); !s.Registered {
			t.Errorf("State() = %+v of what was registered before; want it registered still", s)
		}

		m.Heal()
		healed := orders.one(t)
		healed.want(t, discovery.Live, nil, "added", "stays")
		if got := healed.Instances[1]; got.Weight != 7 || !got.Draining {
			t.Errorf("%+v after Heal; want weight 7 and draining", got)
		}
		for _, r := range []discovery.Registration{added, stays} {
			if err := r.Wait(t.Context()); err != nil || !r.State().Registered {
				t.Errorf("Wait after Heal: error %v, State() = %+v", err, r.State())
			}
		}
	})
}

// Heal publishes a set without the record: that it was ever held would be a lie.
func TestMemoryWaitDoesNotTakeAWithdrawalForTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		m.Fail(errAway)
		r := register(t, m, "a")
		waited, closed := make(chan error, 1), make(chan error, 1)
		go func() { waited <- r.Wait(t.Context()) }()
		synctest.Wait()
		go func() { closed <- r.Close(t.Context()) }()
		synctest.Wait()
		m.Heal()
		if err := <-waited; !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Wait: error %v, want ErrClosed", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: error %v", err)
		}
	})
}

// What is done is done, even for a caller who has no time to wait for it.
func TestMemoryAnswersADoneContextWhereThereIsNothingToWaitFor(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := register(t, m, "a")
		for what, call := range map[string]func(context.Context) error{"Wait": r.Wait, "Drain": r.Drain} {
			if err := call(ctx); err != nil {
				t.Errorf("%s: error %v", what, err)
			}
		}
		if err := r.Close(ctx); err != nil {
			t.Errorf("Close: error %v", err)
		}
	})
}

func TestMemoryUpdateKeepsTheStartTime(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		r := register(t, m, "a")
		began := r.Instance().StartedAt
		i := valid()
		i.ID, i.StartedAt = "a", time.Time{}
		if err := r.Update(i); err != nil {
			t.Fatal(err)
		}
		if got := r.Instance().StartedAt; !got.Equal(began) {
			t.Errorf("StartedAt = %v after Update, want %v still", got, began)
		}
	})
}

func TestMemoryUpdateNamesTheFieldThatCannotChange(t *testing.T) {
	m := new(discovery.Memory)
	r := register(t, m, "a")
	i := r.Instance()
	i.ID = "b"
	wantFieldError(t, r.Update(i), "Instance.ID", "b")
	i = r.Instance()
	i.Service = "users"
	wantFieldError(t, r.Update(i), "Instance.Service", "users")
}

func TestMemoryCloseEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, orders *journal) {
		r := register(t, m, "a")
		orders.take()
		m.Close()
		m.Close() // does nothing
		yields, ended := orders.take()
		if len(yields) != 1 || !ended {
			t.Fatalf("%d yields, ended %t; want one and the end", len(yields), ended)
		}
		yields[0].want(t, discovery.Stale, discovery.ErrClosed, "a")

		late, ended := follow(t.Context(), m, "orders").take()
		if len(late) != 1 || !ended || !errors.Is(late[0].err, discovery.ErrClosed) {
			t.Errorf("a watch after Close yields %+v, ended %t; want ErrClosed and the end", late, ended)
		}
		never, ended := follow(t.Context(), m, "never-asked-for").take()
		if len(never) != 1 || !ended {
			t.Fatalf("a watch of another service after Close yields %+v, ended %t", never, ended)
		}
		never[0].want(t, discovery.Cold, discovery.ErrClosed)

		if _, err := m.Register(t.Context(), valid()); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Register after Close: error %v, want ErrClosed", err)
		}
		for what, err := range map[string]error{
			"Update": r.Update(r.Instance()),
			"Drain":  r.Drain(t.Context()),
			"Wait":   r.Wait(t.Context()),
		} {
			if !errors.Is(err, discovery.ErrClosed) {
				t.Errorf("%s after Close of the registry: error %v, want ErrClosed", what, err)
			}
		}
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close of a registration after that of the registry: error %v", err)
		}
		if s := r.State(); s.Registered || s.Reason == "" {
			t.Errorf("State() = %+v; want it not registered, for a reason", s)
		}
	})
}

func TestMemoryCloseIsForGood(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		m.Close()
		m.Heal()
		m.Fail(errAway)
		if _, err := latest(t, m, "orders"); !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("error %v after Close, Heal and Fail; want ErrClosed", err)
		}
	})
}

func TestMemoryCloseReleasesWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T, m *discovery.Memory, _ *journal) {
		m.Fail(errAway)
		r := register(t, m, "a")
		waited := make(chan error, 1)
		go func() { waited <- r.Wait(t.Context()) }()
		synctest.Wait()
		m.Close()
		if err := <-waited; !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("Wait: error %v, want ErrClosed", err)
		}
	})
}
