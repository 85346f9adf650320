package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/history"
)

const ms = time.Millisecond

// good returns a history of ten calls over two instances and two lists. The
// first call was retried, the second, which is not idempotent, failed for good.
func good() *history.History {
	h := &history.History{
		Settings: history.Settings{Caller: "ann", Began: time.Unix(1e9, 0), Rate: 10, MaxAttempts: 3, Ratio: 0.2, PerSecond: 1, Reserve: 1},
		Publications: []history.Publication{
			{At: 1 * ms, Revision: 1, State: "live", Serving: []string{"a", "b"}},
			{At: 400 * ms, Revision: 2, State: "live", Serving: []string{"b", "c"}, Draining: []string{"a"}},
		},
		Lists: []history.List{
			{At: 2 * ms, Number: 1, Instances: []string{"a", "b"}},
			{At: 401 * ms, Number: 2, Instances: []string{"b", "c"}},
		},
		End:        history.End{Started: 10, Due: 10, Outstanding: map[string]int{"a": 0, "b": 0, "c": 0}},
		Executions: map[int64]int{},
	}
	for id := int64(1); id <= 10; id++ {
		at, list, to := time.Duration(id)*100*ms, 1, "a"
		if at > 400*ms {
			list, to = 2, "c"
		}
		h.Calls = append(h.Calls, history.Call{
			ID: id, Idempotent: id != 2, Start: at, End: at + 20*ms, Deadline: 50 * ms, Answered: to,
			Attempts: []history.Attempt{{Instance: to, Start: at + ms, End: at + 20*ms, Ends: 1, List: list, Outcome: "success"}},
		})
		h.Executions[id] = 1
	}
	retried := &h.Calls[0]
	retried.Answered = "b"
	retried.Attempts = []history.Attempt{
		{Instance: "a", Start: 101 * ms, End: 110 * ms, Ends: 1, List: 1, Outcome: "lost"},
		{Instance: "b", Start: 110 * ms, End: 120 * ms, Ends: 1, List: 1, Outcome: "success"},
	}
	h.Executions[1] = 2
	failed := &h.Calls[1]
	failed.Answered, failed.Err, failed.Maybe = "", "connection lost", true
	return h
}

func TestGoodHistoryKeepsAllRules(t *testing.T) {
	for _, v := range good().Check() {
		t.Error(v)
	}
}

func TestEachRuleFindsWhatBreaksIt(t *testing.T) {
	again := func(c *history.Call, instance string) {
		last := c.Attempts[len(c.Attempts)-1]
		c.Attempts = append(c.Attempts, history.Attempt{Instance: instance, Start: last.End, End: last.End, Ends: 1, List: last.List})
		c.Answered = instance
	}
	for _, tt := range []struct {
		rule, how string
		doctor    func(h *history.History)
	}{
		{"a call that started ended once", "one never ends", func(h *history.History) { h.Calls = h.Calls[1:] }},
		{"a call that started ended once", "one ends twice", func(h *history.History) { h.Calls = append(h.Calls, h.Calls[9]) }},
		{"a call that started ended once", "one has no end", func(h *history.History) { h.Calls[3].End, h.Calls[3].Attempts[0].Start = 0, 0 }},
		{"a call that started ended once", "one from nowhere", func(h *history.History) { h.Calls[3].ID = 11; h.Executions[11] = 1 }},
		{"an attempt that started ended once", "one does not", func(h *history.History) { h.Calls[3].Attempts[0].Ends = 0 }},
		{"an attempt that started ended once", "one ends twice", func(h *history.History) { h.Calls[3].Attempts[0].Ends = 2 }},
		{"no attempt starts after the call's deadline, cancellation or end", "after it was taken back", func(h *history.History) {
			c := &h.Calls[3]
			c.Cancelled, c.Deadline, c.End = c.Start+5*ms, time.Second, c.End+time.Second
			c.Attempts[0].End = c.Start + 500*ms
			again(c, "b")
		}},
		{"no attempt starts after the call's deadline, cancellation or end", "late", func(h *history.History) {
			c := &h.Calls[3]
			c.End += time.Second
			c.Attempts[0].End += time.Second
			again(c, "b")
		}},
		{"no attempt starts after the call's deadline, cancellation or end", "after the caller gave up", func(h *history.History) {
			c := &h.Calls[3]
			again(c, "b")
			c.Attempts[1].Start, c.Attempts[1].End = c.End+ms, c.End+2*ms
		}},
		{"attempts go to published instances only", "a stranger", func(h *history.History) {
			h.Calls[3].Attempts[0].Instance, h.Calls[3].Answered = "z", "z"
		}},
		{"attempts go to published instances only", "too early", func(h *history.History) {
			h.Calls[3].Attempts[0].Instance, h.Calls[3].Answered = "c", "c"
			h.Publications[1].At = time.Second
		}},
		{"attempts stay within the budget", "in total", func(h *history.History) {
			for i := range h.Calls[4:] {
				again(&h.Calls[4+i], "b")
			}
		}},
		{"attempts stay within the budget", "in one call", func(h *history.History) {
			h.Settings.Reserve = 100
			for range 3 {
				again(&h.Calls[3], "b")
			}
		}},
		{"a call that is not idempotent is executed at most once", "twice", func(h *history.History) { h.Executions[2] = 2 }},
		{"what the caller was told of an execution is true", "success of nobody", func(h *history.History) { delete(h.Executions, 4) }},
		{"what the caller was told of an execution is true", "surely not executed", func(h *history.History) { h.Calls[1].Maybe = false }},
		{"the answer is that of the last attempt", "another's", func(h *history.History) { h.Calls[3].Answered = "b" }},
		{"the answer is that of the last attempt", "no attempt", func(h *history.History) { h.Calls[3].Attempts = nil }},
		{"a retry goes elsewhere while there is an elsewhere", "same again", func(h *history.History) { again(&h.Calls[3], "a") }},
		{"in the end nothing is in flight", "one left", func(h *history.History) { h.End.Outstanding["a"] = 1 }},
		{"every list served was published, in that order", "an old one returns", func(h *history.History) {
			h.Lists = append(h.Lists, history.List{At: 500 * ms, Number: 3, Instances: []string{"a", "b"}})
		}},
		{"every list served was published, in that order", "one made up", func(h *history.History) {
			h.Lists[1].Instances = []string{"b", "c", "d"}
		}},
		{"every list served was published, in that order", "holds one that is there", func(h *history.History) {
			h.Lists[1].Instances, h.Lists[1].Held = []string{"a", "b", "c"}, []string{"a"}
		}},
		{"every list served was published, in that order", "before it was published", func(h *history.History) { h.Lists[1].At = 300 * ms }},
		{"every list served was published, in that order", "an older one within a call", func(h *history.History) {
			again(&h.Calls[5], "b")
			h.Calls[5].Attempts[1].List = 1
		}},
		{"every list served was published, in that order", "picked from outside the list", func(h *history.History) { h.Calls[5].Attempts[0].List = 1 }},
		{"there was enough traffic", "a few calls", func(h *history.History) { h.End.Due *= 2 }},
		{"there was enough traffic", "none", func(h *history.History) { h.Calls, h.End = nil, history.End{} }},
	} {
		t.Run(tt.rule+"/"+tt.how, func(t *testing.T) {
			h := good()
			tt.doctor(h)
			found := false
			for _, v := range h.Check() {
				found = found || v.Rule == tt.rule
			}
			if !found {
				t.Errorf("not found; instead: %v", h.Check())
			}
		})
	}
}

// Who drains is called only while there is nobody else.
func TestListOfDrainingInstances(t *testing.T) {
	h := good()
	h.Publications[1].Serving, h.Publications[1].Draining = nil, []string{"b", "c"}
	for _, v := range h.Check() {
		t.Error(v)
	}
}

// Some are kept although the registry has forgotten them.
func TestListWithSomeWhoAreHeld(t *testing.T) {
	h := good()
	h.Publications[1].Draining = nil
	h.Lists[1].Instances, h.Lists[1].Held = []string{"a", "b", "c"}, []string{"a"}
	for _, v := range h.Check() {
		t.Error(v)
	}
}

func TestManyViolationsAreCounted(t *testing.T) {
	h := good()
	h.Executions = nil
	if got := fmt.Sprint(h.Check()); len(h.Check()) != 6 || got == "" {
		t.Errorf("nine successes of nobody give %d lines, want five and a count: %s", len(h.Check()), got)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	want := good()
	dir := t.TempDir()
	path := filepath.Join(dir, "history")
	w, err := history.Create(path, want.Settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range want.Publications {
		w.Publication(p)
	}
	for _, l := range want.Lists {
		w.List(l)
	}
	for _, c := range want.Calls {
		w.Call(c)
	}
	if err := w.Close(want.End); err != nil {
		t.Fatal(err)
	}
	got, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var executed []byte
	for id, n := range want.Executions {
		for range n {
			executed = append(executed, history.Key("ann", id)+"\n"+history.Key("bob", id)+"\n"...)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "executed"), executed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := got.ReadExecutions(filepath.Join(dir, "executed")); err != nil {
		t.Fatal(err)
	}
	if !got.Settings.Began.Equal(want.Settings.Began) {
		t.Errorf("began at %s, want %s", got.Settings.Began, want.Settings.Began)
	}
	got.Settings.Began = want.Settings.Began
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v, want\n%+v", got, want)
	}
}

// A client that was killed leaves a history that says nothing.
func TestHistoryWithoutAnEndIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Read(path); err == nil {
		t.Error("a history without an end is read")
	}
}

// gRPC picks again by itself where a connection was gone before it was used. That
// costs nothing of the budget, and may go where there is a connection.
func TestPicksThatSentNothing(t *testing.T) {
	h := good()
	h.Settings.Gated = true
	c := &h.Calls[3]
	unsent := c.Attempts[0]
	unsent.Outcome = "neutral"
	c.Attempts = append([]history.Attempt{unsent, unsent, unsent}, c.Attempts...)
	for _, v := range h.Check() {
		t.Error(v)
	}
	h.Settings.Gated = false
	if len(h.Check()) == 0 {
		t.Error("where all can be called, the same is called again and again")
	}
}
