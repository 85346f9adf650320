package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/internal/fixture"
	"github.com/fairlead-go/fairlead/transport"
)

var errDown = errors.New("etcd is down")

// Only the very first list is waited for.
func TestTheFirstListIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := make(scripted)
		m := newMesh(t, registry)
		go func() {
			time.Sleep(time.Minute)
			registry.say(fixture.Snapshot("orders", 3), nil)
		}()
		began := time.Now()
		if err := m.Do(t.Context(), get(), instant{m}); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("the first call waited %v", waited)
		}
		began = time.Now()
		registry.say(snapshotOf(discovery.Stale), errDown)
		synctest.Wait()
		if err := m.Do(t.Context(), get(), instant{m}); err != nil || time.Since(began) != 0 {
			t.Errorf("a later call waited %v: %v", time.Since(began), err)
		}
	})
}

func snapshotOf(state discovery.State) discovery.Snapshot {
	s := fixture.Snapshot("orders", 3)
	if s.State = state; state == discovery.Cold {
		s.Instances = nil
	}
	return s
}

// Trap 17, waiting without the context: the wait for the first list ends with
// the caller's time.
func TestTrap17TheWaitForTheFirstListEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, make(scripted))
		patience := errors.New("the user's patience is at an end")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, patience)
		defer cancel()
		began := time.Now()
		err := m.Do(ctx, get(), never(t))
		if e := asError(t, err); e.Stage != transport.StageList || !e.Timeout() || !errors.Is(err, patience) {
			t.Errorf("error is %+v", e)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("it waited %v", waited)
		}
	})
}

func TestTheWaitForTheFirstListEndsWithTheMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, make(scripted))
		failed := make(chan error)
		go func() { failed <- m.Do(context.Background(), get(), never(t)) }()
		synctest.Wait()
		m.Close(t.Context())
		if err := <-failed; asError(t, err).Stage != transport.StageClosed || !errors.Is(err, transport.ErrClosed) {
			t.Errorf("error is %v", err)
		}
	})
}

// What a call meets after each word of the registry.
func TestCallsByTheStateOfTheList(t *testing.T) {
	empty, drained := fixture.Snapshot("orders", 0), snapshotOf(discovery.Live)
	for _, i := range drained.Instances {
		i.Draining = true
	}
	type said struct {
		snapshot discovery.Snapshot
		err      error
	}
	tests := []struct {
		name    string
		said    []said
		fails   error
		text    string // in the error
		state   discovery.State
		trouble bool
	}{
		{"live", []said{{snapshotOf(discovery.Live), nil}}, nil, "", discovery.Live, false},
		{"known to be empty: at once", []said{{empty, nil}}, balancer.ErrNoInstances, "", discovery.Live, false},
		{"unreachable before the first list: at once, with the reason", []said{{snapshotOf(discovery.Cold), errDown}}, balancer.ErrNoInstances, "etcd is down", discovery.Cold, true},
		{"reachable after all", []said{{snapshotOf(discovery.Cold), errDown}, {snapshotOf(discovery.Live), nil}}, nil, "", discovery.Live, false},
		{"a stale list is good", []said{{snapshotOf(discovery.Live), nil}, {snapshotOf(discovery.Stale), errDown}}, nil, "", discovery.Stale, true},
		{"a stale list to begin with, too", []said{{snapshotOf(discovery.Stale), errDown}}, nil, "", discovery.Stale, true},
		{"live again", []said{{snapshotOf(discovery.Stale), errDown}, {snapshotOf(discovery.Live), nil}}, nil, "", discovery.Live, false},
		{"a new list replaces the old", []said{{drained, nil}, {empty, nil}}, balancer.ErrNoInstances, "", discovery.Live, false},
		{"an empty one that nobody drained for does not", []said{{snapshotOf(discovery.Live), nil}, {empty, nil}}, nil, "", discovery.Live, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry := make(scripted)
				m := newMesh(t, registry)
				early, cancel := context.WithCancel(t.Context())
				cancel()
				m.Do(early, get(), never(t)) // begins the watch
				for _, w := range tt.said {
					registry.say(w.snapshot, w.err)
				}
				synctest.Wait()
				began := time.Now()
				err := m.Do(t.Context(), get(), instant{m})
				if !errors.Is(err, tt.fails) || err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error is %v", err)
				}
				if tt.trouble && err != nil && !errors.Is(err, errDown) {
					t.Errorf("error is %v, which does not wrap what the registry said", err)
				}
				if waited := time.Since(began); waited != 0 {
					t.Errorf("it waited %v", waited)
				}
				if s := service(t, m); s.State != tt.state || (s.Trouble != "") != tt.trouble {
					t.Errorf("state %v, trouble %q", s.State, s.Trouble)
				}
			})
		})
	}
}

// A registry that gives up, as it does once it is closed, leaves a good list.
func TestTheRegistryEndsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		registry := make(scripted)
		m := newMesh(t, registry, log.option())
		go registry.say(fixture.Snapshot("orders", 3), nil)
		knowing(t, m)
		time.Sleep(time.Hour)
		registry.say(snapshotOf(discovery.Stale), discovery.ErrClosed)
		close(registry)
		synctest.Wait()
		if err := m.Do(t.Context(), get(), instant{m}); err != nil {
			t.Error(err)
		}
		s := service(t, m)
		if s.State != discovery.Stale || !strings.Contains(s.Trouble, "ended the watch") || !strings.Contains(s.Trouble, discovery.ErrClosed.Error()) {
			t.Errorf("state %v, trouble %q", s.State, s.Trouble)
		}
		if log.lines("ended the watch") != 1 {
			t.Error("it is not logged")
		}
	})
}

// The list was good until the registry was last heard, not until it last
// changed.
func TestAListTurnsStaleWhenTheRegistryIsNoLongerHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := make(scripted)
		m := newMesh(t, registry)
		go registry.say(fixture.Snapshot("orders", 3), nil)
		knowing(t, m)
		time.Sleep(time.Hour)
		close(registry)
		time.Sleep(time.Minute)
		if s := service(t, m); s.State != discovery.Stale || s.Age != time.Minute {
			t.Errorf("%v for %v", s.State, s.Age)
		}
	})
}

// State changes are logged, once each; changes of the list are not.
func TestStateChangesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		registry := make(scripted)
		m := newMesh(t, registry, log.option())
		go registry.say(snapshotOf(discovery.Live), nil)
		knowing(t, m)
		drained := snapshotOf(discovery.Live)
		for _, i := range drained.Instances {
			i.Draining = true
		}
		steps := []struct {
			name     string
			snapshot discovery.Snapshot
			err      error
			line     string
			lines    int // of it in the log after that
		}{
			{"the first list", snapshotOf(discovery.Live), nil, "list is live", 1},
			{"the same again", snapshotOf(discovery.Live), nil, "list is live", 1},
			{"trouble", snapshotOf(discovery.Stale), errDown, "not live", 1},
			{"the same trouble again", snapshotOf(discovery.Stale), errDown, "not live", 1},
			{"other trouble", snapshotOf(discovery.Stale), errors.New("no permission"), "no permission", 1},
			{"live again", snapshotOf(discovery.Live), nil, "list is live", 2},
			{"all vanish and are held", fixture.Snapshot("orders", 0), nil, "no instances left", 0},
			{"back", snapshotOf(discovery.Live), nil, "no instances left", 0},
			{"all drain", drained, nil, "list is live", 2},
			{"nobody left", fixture.Snapshot("orders", 0), nil, "no instances left", 1},
			{"still nobody", fixture.Snapshot("orders", 0), nil, "no instances left", 1},
			{"malformed records", discovery.Snapshot{State: discovery.Live, Refused: 2, Refusals: []discovery.Refusal{{Key: "orders/x", Reason: "not JSON"}}}, nil, "not JSON", 1},
		}
		for _, step := range steps {
			registry.say(step.snapshot, step.err)
			synctest.Wait()
			if got := log.lines(step.line); got != step.lines {
				t.Errorf("%s: %q was logged %d times, want %d", step.name, step.line, got, step.lines)
			}
		}
	})
}

// An instance may come between the pick that found none and the error that says
// so.
func TestNobodyWhereSomebodyHasCome(t *testing.T) {
	m := knowing(t, newMesh(t, orders("a")))
	if err := transport.Nobody(m, get()); !errors.Is(err, balancer.ErrNoInstances) {
		t.Errorf("the error is %v", err)
	}
}
