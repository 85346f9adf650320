package transport_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/rule"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairleadtest"
)

// The table of the protocol, then the rules, then code.
func TestJudge(t *testing.T) {
	outcomes := ruled(rule.Spec{Service: "orders", Outcomes: []rule.Outcome{
		{Codes: []string{"404", "NOT_FOUND"}, As: "failure"}, {Codes: []string{"500-599"}, As: "neutral"}}})
	overruling := transport.WithJudge(func(a transport.Answer, class transport.Class) transport.Class {
		switch {
		case a.Service != "orders" || a.Instance != "a" || a.Method != "Get":
			t.Errorf("the judge sees %+v", a)
		case a.Code == 404 && class == transport.Failure:
			return transport.Overload
		case a.Code == 200 && a.Header("X-Failed") != "":
			return transport.Failure
		}
		return class
	})
	panicking := transport.WithJudge(func(transport.Answer, transport.Class) transport.Class { panic("no opinion") })
	nonsense := transport.WithJudge(func(transport.Answer, transport.Class) transport.Class { return 200 })
	tests := []struct {
		name    string
		options []transport.Option
		answer  transport.Answer
		table   transport.Class
		want    transport.Class
	}{
		{"nothing is said", nil, transport.Answer{Code: 404}, transport.Success, transport.Success},
		{"the rules say", []transport.Option{outcomes}, transport.Answer{Code: 404}, transport.Success, transport.Failure},
		{"of a range", []transport.Option{outcomes}, transport.Answer{Code: 503}, transport.Overload, transport.Neutral},
		{"not of this one", []transport.Option{outcomes}, transport.Answer{Code: 200}, transport.Success, transport.Success},
		{"code has the last word", []transport.Option{outcomes, overruling}, transport.Answer{Code: 404}, transport.Success, transport.Overload},
		{"it looks at headers", []transport.Option{overruling}, transport.Answer{Code: 200, Header: func(string) string { return "yes" }}, transport.Success, transport.Failure},
		{"one that panics has said nothing", []transport.Option{outcomes, panicking}, transport.Answer{Code: 404}, transport.Success, transport.Failure},
		{"nor has one that says nonsense", []transport.Option{nonsense}, transport.Answer{Code: 404}, transport.Success, transport.Success},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := knowing(t, newMesh(t, orders("a"), tt.options...))
				settled()
				call := get()
				m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return ended }))
				if tt.answer.Header == nil {
					tt.answer.Header = func(string) string { return "" }
				}
				if got := call.Judge(tt.table, tt.answer); got != tt.want || call.Judges() != (len(tt.options) > 0) {
					t.Errorf("judged %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// The numbers of gRPC are those of gRPC, whatever HTTP statuses say.
func TestJudgeOfGRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := knowing(t, newMesh(t, orders("a"), ruled(rule.Spec{Service: "orders", Outcomes: []rule.Outcome{{Codes: []string{"NOT_FOUND"}, As: "failure"}}})))
		settled()
		call := &transport.Call{Service: "orders", Protocol: discovery.GRPC}
		m.Do(t.Context(), call, acquiring(m, func(transport.Lease) transport.Outcome { return ended }))
		for code, want := range map[int]transport.Class{0: transport.Success, 5: transport.Failure, 6: transport.Success, 404: transport.Success} {
			if got := call.Judge(transport.Success, transport.Answer{Code: code}); got != want {
				t.Errorf("code %d is judged %v", code, got)
			}
		}
	})
}

// Fault row 46, callbacks that panic: calls go on, it is counted, and after three
// within a minute the callback is let be.
func TestRow46PanickingCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		judged, observed := 0, 0
		fleet := orders("a", "b")
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithBreaker(rule.PerService, breakerAfter(1)),
			transport.WithJudge(func(transport.Answer, transport.Class) transport.Class { judged++; panic("judge") }),
			transport.WithObserver(func(transport.Event) { observed++; panic("observer") })))
		judging := acquiring(m, func(transport.Lease) transport.Outcome { return ended })
		for range 10 {
			call := get()
			if err := m.Do(t.Context(), call, judging); err != nil || call.Judge(transport.Failure, transport.Answer{Code: 500}) != transport.Failure {
				t.Fatal(err)
			}
			m.Do(t.Context(), get(), acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Status(500).Outcome })) // opens it
			synctest.Wait()
			time.Sleep(2 * time.Second)
		}
		d := m.Dump()
		if judged != 3 || d.JudgePanics != 3 || observed != 3 || d.ObserverPanics != 3 {
			t.Errorf("asked %d and %d times, counted are %d and %d", judged, observed, d.JudgePanics, d.ObserverPanics)
		}
		if d.UnobservedEvents == 0 {
			t.Error("what is not told any more is not counted")
		}
	})
}

// Fault row 47, an observer that never returns: no call waits for it, what it is not
// told is counted, and Close does not wait either.
func TestRow47AnObserverThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		fleet := orders("a")
		m := knowing(t, newMesh(t, fleet, inAnyCase(), transport.WithBreaker(rule.PerService, breakerAfter(1)),
			transport.WithObserver(func(transport.Event) { <-release })))
		fail := acquiring(m, func(transport.Lease) transport.Outcome { return fairleadtest.Status(500).Outcome })
		const times = 400 // each opens the breaker, and turns it half-open the next time
		for range times {
			begun := time.Now()
			if err := m.Do(t.Context(), get(), fail); err != nil || time.Since(begun) != 0 {
				t.Fatalf("after %v: %v", time.Since(begun), err)
			}
			synctest.Wait()
			time.Sleep(1100 * time.Millisecond)
		}
		if got := m.Dump().UnobservedEvents; got != 2*times-1-1-256 { // but for the one it is at, and those that wait
			t.Errorf("%d events are said to be lost", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}
