package transport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// only is a gate that lets some instances pass, by ID.
type only string

func (o only) Ready(n *balancer.Node) bool { return strings.Contains(string(o), n.ID()) }

var ended = transport.Outcome{Class: transport.Success, Sent: true, Answered: true}

func TestAcquireCountsUntilDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a")))
		lease, err := m.Acquire(t.Context(), get(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := lease.Node(); n.ID() != "a" || n.Outstanding() != 1 {
			t.Errorf("%s has %d calls", n.ID(), n.Outstanding())
		}
		time.Sleep(20 * time.Millisecond)
		lease.Done(ended)
		if s := service(t, m); s.Instances[0].Stats.Outstanding != 0 || s.Instances[0].Stats.Latency != 20*time.Millisecond || s.Attempts["success"] != 1 {
			t.Errorf("after Done: %+v", s)
		}
	})
}

// Trap 27, the stream that is over when it begins: it is outstanding until its
// end. Its length is the application's doing.
func TestTrap27AStreamCountsUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a")))
		call := get()
		call.Stream = true
		lease, err := m.Acquire(t.Context(), call, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if s := lease.Node().Stats(balancer.Now()); s.Outstanding != 1 || s.Oldest != 0 {
			t.Errorf("while it lasts: %+v", s)
		}
		lease.Done(ended)
		if s := lease.Node().Stats(balancer.Now()); s.Outstanding != 0 || s.Latency != 0 {
			t.Errorf("after it: %+v", s)
		}
	})
}

// However rarely the policy would choose it: who is ready is found.
func TestTheGateIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprintf("i%02d", i))
		}
		m := knowing(t, newMesh(t, orders(ids...)))
		for range 200 {
			lease, err := m.Acquire(t.Context(), get(), only("i37"))
			if err != nil {
				t.Fatal(err)
			}
			if got := lease.Node().ID(); got != "i37" {
				t.Fatalf("%s was acquired", got)
			}
			lease.Done(ended)
		}
	})
}

func TestNobodyIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b")))
		call := get()
		if _, err := m.Acquire(t.Context(), call, only("")); err != transport.ErrNotReady {
			t.Errorf("error is %v", err)
		}
		if s := service(t, m); call.Attempts() != 0 || s.Instances[0].Stats.Outstanding+s.Instances[1].Stats.Outstanding != 0 {
			t.Errorf("%d attempts; %+v", call.Attempts(), s)
		}
	})
}

// A library below a door may pick again by itself: the same call then gets
// another instance, if one is ready, and counts as one call in the budget.
func TestPickedAgainWithinACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b", "c"), inAnyCase()))
		before := service(t, m).BudgetRemaining
		call := get()
		acquire := func(gate transport.Gate) string {
			t.Helper()
			lease, err := m.Acquire(t.Context(), call, gate)
			if err != nil {
				t.Fatal(err)
			}
			lease.Done(fairleadtest.Refused().Outcome)
			return lease.Node().ID()
		}
		if got := acquire(nil) + acquire(nil) + acquire(only("ab")); got != "aba" && got != "abb" {
			t.Errorf("acquired %q", got)
		}
		if got := acquire(nil); got != "c" {
			t.Errorf("the untried one was not found, but %s", got)
		}
		// Twenty more than the ledger has room for.
		for range 20 {
			acquire(nil)
		}
		if call.Attempts() != 24 {
			t.Errorf("%d attempts", call.Attempts())
		}
		for range 4 {
			m.Do(t.Context(), get(), instant{m})
		}
		if got := service(t, m).BudgetRemaining - before; got != 1 {
			t.Errorf("five calls pay for %d retries, want 1", got)
		}
	})
}

func TestThereIsNobodyToAcquire(t *testing.T) {
	elsewhere := fairleadtest.Instances("orders", "a", "b")
	for i := range elsewhere {
		elsewhere[i].Endpoints = []discovery.Endpoint{{Protocol: discovery.GRPC, Addr: elsewhere[i].Addr}}
	}
	tests := []struct {
		name     string
		registry discovery.Registry
		known    bool
		text     string
	}{
		{"the list is empty", orders(), true, "no instances"},
		{"none speaks the protocol", fairleadtest.NewFleet(elsewhere...), true, "endpoint for http among 2"},
		{"there is no list yet", make(scripted), false, "no list was obtained yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, again(tt.registry))
				if tt.known {
					knowing(t, m)
				}
				_, err := m.Acquire(t.Context(), get(), nil)
				e := asError(t, err)
				if e.Stage != transport.StagePick || e.Class != transport.Neutral || !errors.Is(err, balancer.ErrNoInstances) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
}

// again makes what was made outside a bubble anew inside it.
func again(r discovery.Registry) discovery.Registry {
	if _, ok := r.(scripted); ok {
		return make(scripted)
	}
	return r
}

func TestAcquireBeginsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, orders("a"))
		m.Acquire(t.Context(), get(), nil)
		synctest.Wait()
		if _, err := m.Acquire(t.Context(), get(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestAcquireRefusesABadName(t *testing.T) {
	m := newMesh(t, orders("a"))
	_, err := m.Acquire(t.Context(), &transport.Call{Service: "no_such"}, nil)
	if e := asError(t, err); e.Service != "no_such" || !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("error is %v", err)
	}
}
