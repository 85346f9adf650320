package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// Five failures in a row pass an instance over, all is told, and a probe takes
// it back.
func TestOutagesAreToldAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		fleet := orders(ten...)
		m := newMesh(t, fleet, log.option(), inTurn())
		fleet.Play("c", fairleadtest.Status(500))
		call := func(n int) (toC int) {
			t.Helper()
			fleet.Forget()
			for range n {
				_ = m.Do(t.Context(), put(), fleet.Door(m))
				time.Sleep(time.Millisecond)
			}
			for _, id := range fleet.Called() {
				if id == "c" {
					toC++
				}
			}
			return toC
		}
		if got := call(100); got < 5 || got > 7 {
			t.Errorf("%d calls went to c before it was passed over", got)
		}
		time.Sleep(100 * time.Millisecond)
		if got := call(100); got != 0 {
			t.Errorf("%d calls went to c while it is passed over", got)
		}
		s := service(t, m)
		o := s.Instances[2].Outage
		if o == nil || o.Reason != balancer.ConsecutiveFailures || o.Times != 1 || o.Until.Sub(o.Since) < 30*time.Second {
			t.Errorf("outage is %+v", o)
		}
		if c := s.Choices[get().Protocol]; c.Instances != 0 && c.Well != 9 || s.Ejections["consecutive-failures"] != 1 {
			t.Errorf("choices %+v, ejections %v", s.Choices, s.Ejections)
		}
		if n := log.lines("instance is passed over"); n != 1 {
			t.Errorf("the beginning is told %d times", n)
		}
		fleet.Play("c")
		time.Sleep(35 * time.Second)
		call(20)
		if s := service(t, m); s.Instances[2].Outage != nil || log.lines("instance is back") != 1 {
			t.Errorf("after a probe: %+v", s.Instances[2])
		}
		if got := call(100); got != 10 {
			t.Errorf("%d of 100 calls go to c again", got)
		}
	})
}

// The call that was to be the probe may find that there is no connection yet.
// Then another is the probe a second later, and the instance does not wait until
// the first would have ended.
func TestAProbeThatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a", "b"), inTurn()))
		acquire := func(gate transport.Gate, outcome transport.Outcome) string {
			t.Helper()
			lease, err := m.Acquire(t.Context(), get(), gate)
			if err != nil {
				t.Fatal(err)
			}
			lease.Done(outcome)
			time.Sleep(20 * time.Millisecond)
			return lease.Node().ID()
		}
		acquire(only("b"), fairleadtest.Refused().Outcome)
		time.Sleep(1500 * time.Millisecond) // it may be tried again
		for range 10 {
			if got := acquire(only("a"), ended); got != "a" {
				t.Fatalf("%s was acquired", got)
			}
		}
		time.Sleep(1100 * time.Millisecond)
		for range 100 { // not each call may be a probe
			if acquire(nil, ended) == "b" {
				return
			}
		}
		t.Error("b was not acquired, and it is ready and waits for a probe")
	})
}

// An instance that cannot prove who it is is passed over at once, and one whose
// timeouts we noticed late is not charged.
func TestWhatAnOutcomeSaysOfTheInstance(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outcome transport.Outcome
		times   int
		reason  balancer.Reason // 0: it is not passed over
	}{
		{"untrusted", transport.Outcome{Class: transport.Lost, Untrusted: true}, 1, balancer.TLS},
		{"refused", transport.Outcome{Class: transport.Lost}, 1, balancer.ConnectionRefused},
		{"unsent over a connection", transport.Outcome{Class: transport.Lost, Connected: true}, 1, 0},
		{"lost", transport.Outcome{Class: transport.Lost, Sent: true}, 4, 0},
		{"lost again and again", transport.Outcome{Class: transport.Lost, Sent: true}, 5, balancer.ConsecutiveFailures},
		{"timeouts", transport.Outcome{Class: transport.Timeout, Sent: true}, 5, balancer.ConsecutiveFailures},
		{"timeouts noticed late", transport.Outcome{Class: transport.Timeout, Sent: true, Late: true}, 20, 0},
		{"neutral", transport.Outcome{Class: transport.Neutral}, 20, 0},
		{"too much to do, and no word of when to come again", transport.Outcome{Class: transport.Overload, Sent: true, Answered: true}, 5, balancer.ConsecutiveFailures},
		{"too much to do, and when to come again", transport.Outcome{Class: transport.Overload, Sent: true, Answered: true, Shed: true}, 20, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := orders("a", "b")
				m := newMesh(t, fleet, inTurn(), transport.WithPinning())
				for range tt.times {
					c := put()
					c.Apply(transport.WithCall(t.Context(), transport.Instance("a")))
					_ = m.Do(t.Context(), c, ending{m, tt.outcome})
				}
				time.Sleep(100 * time.Millisecond)
				s := service(t, m)
				o := s.Instances[0].Outage
				if (o != nil) != (tt.reason != 0) || o != nil && o.Reason != tt.reason {
					t.Errorf("outage is %+v", o)
				}
				if want := tt.times; tt.outcome.Late && s.LateTimeouts != int64(want) {
					t.Errorf("%d late timeouts, want %d", s.LateTimeouts, want)
				}
			})
		})
	}
}

// ending is a door at which every attempt ends alike.
type ending struct {
	mesh    *transport.Mesh
	outcome transport.Outcome
}

func (e ending) Try(ctx context.Context, call *transport.Call) transport.Outcome {
	lease, err := e.mesh.Acquire(ctx, call, nil)
	if err != nil {
		return transport.Outcome{Err: err}
	}
	lease.Done(e.outcome)
	return e.outcome
}

// While timeouts are noticed late, those among them that are noticed in time say
// nothing either; a second later they do again.
func TestTimeoutsAmongLateOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, orders("a", "b"), inTurn(), transport.WithPinning())
		timeouts := func(n int, late bool) {
			for range n {
				c := put()
				c.Apply(transport.WithCall(t.Context(), transport.Instance("a")))
				_ = m.Do(t.Context(), c, ending{m, transport.Outcome{Class: transport.Timeout, Sent: true, Late: late}})
			}
			time.Sleep(100 * time.Millisecond)
		}
		timeouts(1, true)
		timeouts(20, false)
		if s := service(t, m); s.Instances[0].Outage != nil || s.LateTimeouts != 21 {
			t.Errorf("outage %+v after %d late timeouts, want none after 21", s.Instances[0].Outage, s.LateTimeouts)
		}
		time.Sleep(time.Second)
		timeouts(5, false)
		if o := service(t, m).Instances[0].Outage; o == nil || o.Reason != balancer.ConsecutiveFailures {
			t.Errorf("outage %+v after timeouts noticed in time", o)
		}
	})
}

// A timeout counts as noticed late from a tenth of a second on.
func TestNoticedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, tt := range []struct {
			after time.Duration
			late  bool
		}{{500 * time.Millisecond, false}, {500 * time.Millisecond, false}, {100 * time.Millisecond, false}, {time.Millisecond, true}} {
			time.Sleep(tt.after)
			if got := transport.NoticedLate(ctx); got != tt.late {
				t.Errorf("after %v more: %t", tt.after, got)
			}
		}
		if transport.NoticedLate(t.Context()) {
			t.Error("a call without a deadline is late")
		}
	})
}

// That a whole service is passed over, or is back, is said in a few lines, which
// say how many are left out.
func TestLogOfOutagesIsRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprintf("i%03d", i))
		}
		fleet := orders(ids...)
		m := newMesh(t, fleet, log.option(), transport.WithPinning())
		all := func(outcome transport.Outcome) {
			for _, id := range ids {
				c := put()
				c.Apply(transport.WithCall(t.Context(), transport.Instance(id)))
				_ = m.Do(t.Context(), c, ending{m, outcome})
			}
			time.Sleep(15 * time.Millisecond)
		}
		all(transport.Outcome{Class: transport.Lost})
		if s := service(t, m); s.Ejections["refused"] != 100 {
			t.Fatalf("passed over: %v", s.Ejections)
		}
		time.Sleep(11 * time.Second)
		if got := log.lines("instance is passed over"); got != 10 {
			t.Errorf("%d lines of 100 instances", got)
		}
		if log.lines(`unnamed=90 "passed over"=100`) != 1 {
			t.Errorf("how many there are in all is not said: %s", log.text.String())
		}
		time.Sleep(15 * time.Second)
		if log.lines("unnamed") != 1 {
			t.Errorf("it is said again: %s", log.text.String())
		}
	})
}

// Whom health checks pass over is told by them, and nobody knows until when.
func TestOutagesByHealthChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		w := new(ward)
		w.set("b")
		m := knowing(t, newMesh(t, orders("a", "b", "c"), log.option(), transport.WithHealthCheck(balancer.HealthCheck{}, w)))
		time.Sleep(15 * time.Second)
		o := service(t, m).Instances[1].Outage
		if o == nil || o.Reason != balancer.FailedHealthCheck || o.Since.IsZero() || !o.Until.IsZero() {
			t.Errorf("the outage is %+v", o)
		}
		if text, err := json.Marshal(o); err != nil || strings.Contains(string(text), "until") {
			t.Errorf("in JSON: %s, %v", text, err)
		}
		w.set()
		time.Sleep(15 * time.Second)
		if service(t, m).Instances[1].Outage != nil || log.lines("instance=b") != 2 {
			t.Errorf("logged: %s", log.text.String())
		}
	})
}
