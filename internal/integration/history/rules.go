package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Violation is one way in which a rule was broken.
type Violation struct{ Rule, What string }

func (v Violation) String() string { return v.Rule + ": " + v.What }

// most is how many violations of one rule are told.
const most = 5

// tardy is how long after a check the clock may be read on a busy machine.
const tardy = 100 * time.Millisecond

// enough is the share of the calls that must have been made for a run to count.
const enough = 0.8

// rules are what every run must have kept. Each is independent of the others
// and of the code under test.
var rules = []struct {
	name  string
	check func(h *History, broken func(format string, args ...any))
}{
	{"a call that started ended once", conserved},
	{"an attempt that started ended once", attemptsEnded},
	{"no attempt starts after the call's deadline, cancellation or end", inTime},
	{"attempts go to published instances only", toPublished},
	{"attempts stay within the budget", withinBudget},
	{"a call that is not idempotent is executed at most once", onceOnly},
	{"what the caller was told of an execution is true", toldTruly},
	{"the answer is that of the last attempt", answeredByLast},
	{"a retry goes elsewhere while there is an elsewhere", elsewhere},
	{"in the end nothing is in flight", nothingInFlight},
	{"every list served was published, in that order", listsPublished},
	{"there was enough traffic", enoughTraffic},
}

// Check returns all violations, at most a few of each rule.
func (h *History) Check() []Violation {
	var all []Violation
	for _, r := range rules {
		n := 0
		r.check(h, func(format string, args ...any) {
			if n++; n <= most {
				all = append(all, Violation{r.name, fmt.Sprintf(format, args...)})
			}
		})
		if n > most {
			all = append(all, Violation{r.name, fmt.Sprintf("and %d more", n-most)})
		}
	}
	return all
}

func conserved(h *History, broken func(string, ...any)) {
	ends := make(map[int64]int, len(h.Calls))
	for _, c := range h.Calls {
		ends[c.ID]++
		if c.ID < 1 || c.ID > h.End.Started {
			broken("call %d was never started", c.ID)
		}
		if c.End < c.Start || c.End == 0 {
			broken("call %d started at %s and ended at %s", c.ID, c.Start, c.End)
		}
	}
	for id := int64(1); id <= h.End.Started; id++ {
		if n := ends[id]; n != 1 {
			broken("call %d ended %d times", id, n)
		}
	}
}

func attemptsEnded(h *History, broken func(string, ...any)) {
	for _, c := range h.Calls {
		for i, a := range c.Attempts {
			if a.Ends != 1 || a.End < a.Start {
				broken("attempt %d of call %d, to %s, started at %s and ended %d times, last at %s", i+1, c.ID, a.Instance, a.Start, a.Ends, a.End)
			}
		}
	}
}

func inTime(h *History, broken func(string, ...any)) {
	for _, c := range h.Calls {
		for i, a := range c.Attempts {
			if c.Cancelled > 0 && a.Start > c.Cancelled+max(tardy, h.Tardy) {
				broken("attempt %d of call %d started at %s; it was taken back at %s", i+1, c.ID, a.Start, c.Cancelled)
			}
			if a.Start > c.Start+c.Deadline+max(tardy, h.Tardy) || a.Start > c.End {
				broken("attempt %d of call %d started at %s; its time was up at %s and it ended at %s", i+1, c.ID, a.Start, c.Start+c.Deadline, c.End)
			}
		}
	}
}

func toPublished(h *History, broken func(string, ...any)) {
	first := map[string]time.Duration{} // publication of an instance
	for _, p := range h.Publications {
		for _, id := range slices.Concat(p.Serving, p.Draining) {
			if at, known := first[id]; !known || p.At < at {
				first[id] = p.At
			}
		}
	}
	for _, c := range h.Calls {
		for i, a := range c.Attempts {
			if at, known := first[a.Instance]; !known || at > a.End {
				broken("attempt %d of call %d went to %s, which was not published by then", i+1, c.ID, a.Instance)
			}
		}
	}
}

// withinBudget holds from the beginning to any moment.
func withinBudget(h *History, broken func(string, ...any)) {
	type start struct {
		at      time.Duration
		attempt bool
	}
	var starts []start
	for _, c := range h.Calls {
		made := c.Made()
		if len(made) > h.Settings.MaxAttempts {
			broken("call %d has %d attempts", c.ID, len(made))
		}
		starts = append(starts, start{at: c.Start})
		for _, a := range made {
			starts = append(starts, start{a.Start, true})
		}
	}
	slices.SortFunc(starts, func(a, b start) int { return cmp.Compare(a.at, b.at) })
	calls, attempts := 0.0, 0.0
	for _, s := range starts {
		if !s.attempt {
			calls++
			continue
		}
		attempts++
		seconds := (s.at - starts[0].at).Seconds()
		if allowed := (1+h.Settings.Ratio)*calls + h.Settings.PerSecond*seconds + h.Settings.Reserve; attempts > allowed {
			broken("%.0f attempts of %.0f calls after %.1f s, allowed are %.0f", attempts, calls, seconds, allowed)
		}
	}
}

func onceOnly(h *History, broken func(string, ...any)) {
	for _, c := range h.Calls {
		if n := h.Executions[c.ID]; !c.Idempotent && n > 1 {
			broken("call %d was executed %d times", c.ID, n)
		}
	}
}

func toldTruly(h *History, broken func(string, ...any)) {
	for _, c := range h.Calls {
		switch n := h.Executions[c.ID]; {
		case c.Err == "" && n == 0:
			broken("call %d succeeded and was never executed", c.ID)
		case c.Err != "" && !c.Maybe && n > 0:
			broken("call %d was executed, and its error does not say so: %s", c.ID, c.Err)
		}
	}
}

func answeredByLast(h *History, broken func(string, ...any)) {
	for _, c := range h.Calls {
		if c.Err != "" {
			continue
		}
		if len(c.Attempts) == 0 {
			broken("call %d succeeded without an attempt", c.ID)
		} else if last := c.Attempts[len(c.Attempts)-1].Instance; last != c.Answered && h.Aliases[last] != c.Answered {
			broken("call %d was answered by %s, its last attempt went to %s", c.ID, c.Answered, last)
		}
	}
}

func elsewhere(h *History, broken func(string, ...any)) {
	if h.Settings.Gated {
		return // who was connected is not known
	}
	lists := map[int][]string{}
	for _, l := range h.Lists {
		lists[l.Number] = l.Instances
	}
	for _, c := range h.Calls {
		tried := map[string]bool{}
		for i, a := range c.Attempts {
			if tried[a.Instance] {
				for _, other := range lists[a.List] {
					if !tried[other] {
						broken("attempt %d of call %d went to %s again, though %s was untried", i+1, c.ID, a.Instance, other)
						break
					}
				}
			}
			tried[a.Instance] = true
		}
	}
}

func nothingInFlight(h *History, broken func(string, ...any)) {
	for id, n := range h.End.Outstanding {
		if n != 0 {
			broken("%d attempts to %s are still counted", n, id)
		}
	}
}

// listsPublished also holds each call to lists that do not grow older from one
// of its attempts to the next.
func listsPublished(h *History, broken func(string, ...any)) {
	next := 0 // the earliest publication that the next list may be of
	for n, l := range h.Lists {
		if l.Number != n+1 {
			broken("list %d comes in place %d", l.Number, n+1)
		}
		at := slices.IndexFunc(h.Publications[next:], func(p Publication) bool {
			return p.At <= l.At && (l.of(p) || h.Settings.Narrowed && l.partOf(p))
		})
		if at < 0 {
			broken("list %d, made at %s, of %v is none that was published and not yet replaced", l.Number, l.At, l.Instances)
			continue
		}
		next += at
	}
	for _, c := range h.Calls {
		for i, a := range c.Attempts {
			switch {
			case a.List < 1 || a.List > len(h.Lists):
				broken("attempt %d of call %d is from list %d, which was never made", i+1, c.ID, a.List)
			case !slices.Contains(h.Lists[a.List-1].Instances, a.Instance):
				broken("attempt %d of call %d went to %s, which is not in list %d", i+1, c.ID, a.Instance, a.List)
			case i > 0 && a.List < c.Attempts[i-1].List:
				broken("attempt %d of call %d is from list %d, after one from list %d", i+1, c.ID, a.List, c.Attempts[i-1].List)
			}
		}
	}
}

// partOf reports whether the list can have been made of a part of it.
func (l List) partOf(p Publication) bool {
	eligible := p.eligible()
	return !slices.ContainsFunc(l.Instances, func(id string) bool { return !slices.Contains(eligible, id) })
}

// of reports whether the list can have been made of a publication. Whom it
// holds beyond that must not be in it; that they were published once is another
// rule's affair.
func (l List) of(p Publication) bool {
	named := slices.DeleteFunc(slices.Clone(l.Instances), func(id string) bool { return slices.Contains(l.Held, id) })
	if slices.ContainsFunc(l.Held, p.Names) {
		return false
	}
	return slices.Equal(p.eligible(), named) || len(p.Serving) == 0 && len(named) == 0
}

// eligible is whom calls may go to: who drains only if all do.
func (p Publication) eligible() []string {
	if len(p.Serving) > 0 {
		return p.Serving
	}
	return p.Draining
}

func enoughTraffic(h *History, broken func(string, ...any)) {
	if want := h.End.Due * enough; float64(len(h.Calls)) < want || len(h.Calls) == 0 {
		broken("%d calls, at least %.0f are needed: the run is void", len(h.Calls), want)
	}
}
