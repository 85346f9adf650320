package fairleadtest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// Each reply, as an attempt that is not made again sees it.
func TestReplies(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name                  string
		reply                 fairleadtest.Reply
		class                 transport.Class
		sent, answered        bool
		cause                 error // in what the caller sees; nil: an answer
		took                  time.Duration
		deadline, cancelAfter time.Duration
	}{
		{name: "zero", reply: fairleadtest.Reply{}, class: transport.Success, sent: true, answered: true},
		{name: "zero, later", reply: fairleadtest.Reply{Latency: 5 * ms}, class: transport.Success, sent: true, answered: true, took: 5 * ms},
		{name: "ok", reply: fairleadtest.OK(), class: transport.Success, sent: true, answered: true},
		{name: "ok, later", reply: fairleadtest.OK().After(3 * ms).After(4 * ms), class: transport.Success, sent: true, answered: true, took: 7 * ms},
		{name: "404 is an answer", reply: fairleadtest.Status(404), class: transport.Success, sent: true, answered: true},
		{name: "500 is a failure", reply: fairleadtest.Status(500), class: transport.Failure, sent: true, answered: true},
		{name: "503 is overload", reply: fairleadtest.Status(503), class: transport.Overload, sent: true, answered: true},
		{name: "429 is overload", reply: fairleadtest.Status(429), class: transport.Overload, sent: true, answered: true},
		{name: "refused", reply: fairleadtest.Refused(), class: transport.Lost, cause: syscall.ECONNREFUSED},
		{name: "reset", reply: fairleadtest.Reset().After(9 * ms), class: transport.Lost, sent: true, cause: syscall.ECONNRESET, took: 9 * ms},
		{name: "cut", reply: fairleadtest.Cut(), class: transport.Lost, sent: true, answered: true, cause: io.ErrUnexpectedEOF},
		{name: "hung, until the deadline", reply: fairleadtest.Hung(), class: transport.Timeout, sent: true, cause: context.DeadlineExceeded, took: time.Hour, deadline: time.Hour},
		{name: "hung, until cancelled", reply: fairleadtest.Hung(), class: transport.Neutral, sent: true, cause: context.Canceled, took: time.Hour, cancelAfter: time.Hour},
		{name: "a connection that takes for ever", reply: fairleadtest.Refused().After(2 * time.Hour), class: transport.Timeout, cause: context.DeadlineExceeded, took: time.Hour, deadline: time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
				fleet.Play("a", tt.reply)
				m := newMesh(t, fleet)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				if tt.cancelAfter > 0 {
					time.AfterFunc(tt.cancelAfter, cancel)
				}
				begin := time.Now()
				err := m.Do(ctx, &transport.Call{Service: "orders", Method: "Put"}, fleet.Door(m))
				if (err == nil) != (tt.cause == nil) || !errors.Is(err, tt.cause) {
					t.Errorf("error is %v, want %v", err, tt.cause)
				}
				got := fleet.Attempts()
				if len(got) == 0 {
					t.Fatal("no attempt was recorded")
				}
				a := got[0]
				if a.Instance != "a" || a.Service != "orders" || a.Method != "Put" || !a.Start.Equal(begin) {
					t.Errorf("recorded %+v", a)
				}
				if a.Outcome.Class != tt.class || a.Outcome.Sent != tt.sent || a.Outcome.Answered != tt.answered {
					t.Errorf("outcome is %+v", a.Outcome)
				}
				if a.Took != tt.took {
					t.Errorf("took %v, want %v", a.Took, tt.took)
				}
			})
		})
	}
}

func TestRepliesArePlayedInOrderTheLastForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
		m := newMesh(t, fleet)
		fleet.Play("a", fairleadtest.OK(), fairleadtest.Status(500), fairleadtest.Status(503))
		for range 5 {
			call(t.Context(), m, fleet)
		}
		fleet.Play("a")
		call(t.Context(), m, fleet)
		var got []transport.Class
		for _, a := range fleet.Attempts() {
			got = append(got, a.Outcome.Class)
		}
		want := []transport.Class{transport.Success, transport.Failure, transport.Overload, transport.Overload, transport.Overload, transport.Success}
		if !slices.Equal(got, want) {
			t.Errorf("played %v, want %v", got, want)
		}
		if fleet.Forget(); len(fleet.Attempts()) != 0 {
			t.Error("attempts are not forgotten")
		}
	})
}

func TestAnAttemptIsRecordedWhileItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := fairleadtest.NewFleet(fairleadtest.Instances("orders", "a")...)
		m := newMesh(t, fleet)
		fleet.Play("a", fairleadtest.OK().After(time.Minute))
		go call(t.Context(), m, fleet)
		synctest.Wait()
		if got := fleet.Attempts(); len(got) != 1 || got[0].Took != 0 || got[0].Outcome != (transport.Outcome{}) {
			t.Errorf("while it goes on: %+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := fleet.Attempts()[0]; got.Took != time.Minute || got.Outcome.Class != transport.Success {
			t.Errorf("in the end: %+v", got)
		}
	})
}
