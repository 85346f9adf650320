package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// ten are the instances of most tests here.
var ten = strings.Split("abcdefghij", "")

// calls makes n calls and fails the test with the first that fails.
func calls(t *testing.T, m *transport.Mesh, fleet *fairleadtest.Fleet, n int) {
	t.Helper()
	for range n {
		if err := m.Do(t.Context(), get(), fleet.Door(m)); err != nil {
			t.Fatalf("a call failed: %v", err)
		}
	}
}

func called(fleet *fairleadtest.Fleet) []string {
	ids := fleet.Called()
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Fault row 5: the registry forgets everybody, and nobody who calls notices.
// It tells one by one, while calls go on; the instances come back one by one.
func TestRow5MassExpiryFailsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders(ten...)
		m := newMesh(t, fleet)
		calls(t, m, fleet, 100)
		for _, id := range ten {
			fleet.Remove(id)
			time.Sleep(10 * time.Millisecond)
			calls(t, m, fleet, 100)
		}
		fleet.Forget()
		calls(t, m, fleet, 1000)
		if got := called(fleet); !slices.Equal(got, ten) {
			t.Errorf("called are %v", got)
		}
		if s := service(t, m); s.Held != 10 || s.Preserved.Held != 10 || len(s.Instances) != 10 {
			t.Errorf("%d of %d held, %+v", s.Held, len(s.Instances), s.Preserved)
		}
		time.Sleep(5 * time.Second)
		for _, id := range ten {
			fleet.Add(fairleadtest.Instances("orders", id)...)
			time.Sleep(10 * time.Millisecond)
			calls(t, m, fleet, 100)
		}
		if s := service(t, m); s.Held != 0 || s.Preserved.Returned != 10 || len(s.Instances) != 10 {
			t.Errorf("%d of %d held, %+v", s.Held, len(s.Instances), s.Preserved)
		}
	})
}

// Those that are gone in truth are let go of within a second or so of the
// first call that shows it, without any word of the registry; the others stay.
func TestCallsShowWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders(ten...)
		m := newMesh(t, fleet)
		calls(t, m, fleet, 100)
		for _, id := range ten[:2] { // so that the third attempt succeeds
			fleet.Play(id, fairleadtest.Refused())
		}
		fleet.Remove(ten[:6]...)
		synctest.Wait()
		calls(t, m, fleet, 200)
		time.Sleep(1100 * time.Millisecond)
		fleet.Forget()
		calls(t, m, fleet, 200)
		if got := called(fleet); !slices.Equal(got, ten[2:]) {
			t.Errorf("called are %v", got)
		}
		if s := service(t, m); s.Held != 4 || s.Preserved.Gone != 2 {
			t.Errorf("%d held, %+v", s.Held, s.Preserved)
		}
	})
}

// One connection that does not come about is enough, since nobody can be
// called there; the call goes elsewhere.
func TestOneRefusedConnectionIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a", "b", "c", "d")
		m := newMesh(t, fleet, inTurn())
		calls(t, m, fleet, 4)
		fleet.Remove("a", "b", "c")
		synctest.Wait()
		fleet.Play("a", fairleadtest.Refused())
		fleet.Play("b", fairleadtest.Reset())
		calls(t, m, fleet, 4)
		time.Sleep(1100 * time.Millisecond)
		if s := service(t, m); len(s.Instances) != 3 || s.Instances[0].ID != "b" || s.Preserved.Gone != 1 {
			t.Errorf("%d instances, %+v", len(s.Instances), s.Preserved)
		}
	})
}

// A hold ends by itself. All of it is told:
// once in the log at the beginning and the end, in the dump while it lasts.
func TestAHoldIsToldAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		fleet := orders(ten...)
		m := newMesh(t, fleet, log.option())
		calls(t, m, fleet, 1)
		for _, id := range ten {
			fleet.Remove(id)
			synctest.Wait()
		}
		began := time.Now()
		time.Sleep(time.Minute)
		s := service(t, m)
		if s.Held != 10 || !s.HeldUntil.Equal(began.Add(10*time.Minute)) || s.State != discovery.Live || s.Trouble != "" {
			t.Errorf("%d held until %v after the hold began, state %v", s.Held, s.HeldUntil.Sub(began), s.State)
		}
		for _, i := range s.Instances {
			if !i.Held || !i.HeldSince.Equal(began) {
				t.Errorf("%s: held %t, since %v after the hold began", i.ID, i.Held, i.HeldSince.Sub(began))
			}
		}
		text, err := json.Marshal(s)
		if err != nil || !strings.Contains(string(text), `"held":10,"heldUntil":"2000-`) || !strings.Contains(string(text), `"held":true,"heldSince":"2000-`) {
			t.Errorf("%s (%v)", text, err)
		}
		if n := log.lines("vanished without having drained"); n != 1 {
			t.Errorf("the beginning is told %d times", n)
		}
		if n := log.lines("held any more"); n != 0 {
			t.Error("the end is told before it is there")
		}
		fleet.Add(fairleadtest.Instances("orders", "a", "b")...)
		time.Sleep(9*time.Minute + time.Second)
		if n := log.lines("held=10 returned=2 replaced=0 gone=0 expired=8"); n != 1 {
			t.Errorf("the end is told %d times:\n%s", n, log.text.String())
		}
		s = service(t, m)
		if s.Held != 0 || len(s.Instances) != 2 || !s.HeldUntil.IsZero() || s.Instances[0].Held {
			t.Errorf("after the hold: %+v", s)
		}
	})
}

// A second hold begins and ends like the first.
func TestHoldsFollowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		fleet := orders(ten...)
		m := newMesh(t, fleet, log.option())
		calls(t, m, fleet, 1)
		for round := 1; round <= 3; round++ {
			fleet.Remove(ten...)
			synctest.Wait()
			if round == 2 { // the review is on its way when the next begins
				time.Sleep(500 * time.Millisecond)
			}
			fleet.Add(fairleadtest.Instances("orders", ten...)...)
			synctest.Wait()
			if a, b := log.lines("are held"), log.lines("held=10 returned=10"); a != round || b != round {
				t.Errorf("round %d: told %d beginnings and %d ends", round, a, b)
			}
		}
		fleet.Remove(ten...)
		time.Sleep(11 * time.Minute)
		if n := log.lines("held=10 returned=0 replaced=0 gone=0 expired=10"); n != 1 {
			t.Errorf("the last one ended %d times", n)
		}
	})
}

// Doors hear of an end that no list brought.
func TestViewsTellOfTheEndOfAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := newMesh(t, fleet)
		seen := follow(t, t.Context(), m, 0)
		synctest.Wait()
		fleet.Remove("a")
		time.Sleep(11 * time.Minute)
		m.Close(t.Context())
		if got := <-seen; !slices.Equal(got, []int{1, 1, 0}) {
			t.Errorf("saw %v", got)
		}
	})
}

// Close ends what looks after a hold; synctest would not end otherwise.
func TestCloseDuringAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders("a")
		m := newMesh(t, fleet)
		calls(t, m, fleet, 1)
		fleet.Remove("a")
		synctest.Wait()
		if service(t, m).Held != 1 {
			t.Fatal("nothing is held")
		}
		began := time.Now()
		if err := m.Close(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("Close took %v: %v", time.Since(began), err)
		}
	})
}

// Scaling to zero, and back, the way a server leaves.
func TestScaleToZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders(ten...)
		m := newMesh(t, fleet)
		calls(t, m, fleet, 1)
		fleet.Drain(ten...)
		time.Sleep(2 * time.Second)
		fleet.Remove(ten...)
		synctest.Wait()
		if err := m.Do(t.Context(), get(), instant{m}); !errors.Is(err, balancer.ErrNoInstances) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestProtectionOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders(ten...)
		m := newMesh(t, fleet, transport.WithProtection(balancer.Protection{Off: true}))
		calls(t, m, fleet, 1)
		fleet.Remove(ten...)
		synctest.Wait()
		if err := m.Do(t.Context(), get(), instant{m}); !errors.Is(err, balancer.ErrNoInstances) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestABadProtectionIsRefused(t *testing.T) {
	_, err := transport.New(orders(), transport.WithProtection(balancer.Protection{Least: -1}))
	if field, ok := errors.AsType[*discovery.FieldError](err); !ok || field.Field != "Protection.Least" {
		t.Errorf("error is %v", err)
	}
}

// An instance that withdraws since it is not ready is gone on purpose, be it
// the only one.
func TestNotReadyIsNoMistakeOfTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := orders()
		m, caller := newMesh(t, fleet), newMesh(t, fleet)
		var lost atomic.Bool
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- transport.Serve(ctx, m, me, transport.ServeConfig{Signals: none, Ready: func(context.Context) error {
				if lost.Load() {
					return errDown
				}
				return nil
			}}, newServer("http", newDiary()))
		}()
		synctest.Wait()
		if err := caller.Do(t.Context(), get(), instant{caller}); err != nil {
			t.Fatal(err)
		}
		lost.Store(true)
		time.Sleep(10 * time.Second)
		if err := caller.Do(t.Context(), get(), instant{caller}); !errors.Is(err, balancer.ErrNoInstances) {
			t.Errorf("error is %v", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// The metrics of a hold.
func TestMetricsOfAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, meters := orders(ten...), new(meters)
		m := newMesh(t, fleet, transport.WithMeterProvider(meters))
		calls(t, m, fleet, 1)
		fleet.Remove(ten[:4]...)
		synctest.Wait()
		check := func(want map[string]float64) {
			t.Helper()
			got := meters.collect(t).values
			for name, v := range want {
				if got[name] != v {
					t.Errorf("%s is %v, want %v", name, got[name], v)
				}
			}
		}
		check(map[string]float64{
			"fairlead.endpoints service=orders state=serving": 6,
			"fairlead.endpoints service=orders state=held":    4,
			"fairlead.endpoints.preserved service=orders":     4,
		})
		time.Sleep(11 * time.Minute)
		check(map[string]float64{
			"fairlead.endpoints service=orders state=serving": 6,
			"fairlead.endpoints service=orders state=held":    0,
			"fairlead.endpoints.preserved service=orders":     4,
		})
	})
}
