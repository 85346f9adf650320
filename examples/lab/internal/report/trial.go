package report

import (
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
)

// Trial is what came of one arm of a trial for one policy and one seed.
type Trial struct {
	Row
	Trial string `json:"trial"`
	Arm   string `json:"arm"`
	// Capacity is how many calls can be done in a second, and Goodput the share of it
	// that was, while the trouble lasted.
	Capacity float64 `json:"capacity_per_s"`
	Goodput  float64 `json:"goodput"`
	// These are the medians of the p99 of all moments before the trouble, in it, and
	// after it; 0 where no call went well.
	Before float64 `json:"p99_before_ms"`
	During float64 `json:"p99_during_ms"`
	After  float64 `json:"p99_after_ms"`
	// Trouble is how calls ended while it lasted, the most important first.
	Trouble []Class `json:"trouble"`
	// Recovered is how long after the trouble all was as before, in seconds. Null
	// where it was not until the end.
	Recovered *float64 `json:"recovered_s"`

	from, until time.Duration
}

// NewTrial makes the row of a result. The trouble was from one moment until another.
func NewTrial(trial, arm string, from, until time.Duration, row Row) Trial {
	r := row.Result
	t := Trial{
		Row: row, Trial: trial, Arm: arm, from: from, until: until, Capacity: r.Capacity, Goodput: r.Goodput(from, until),
		Before: milliseconds(r.P99(0, from)), During: milliseconds(r.P99(from, until)), After: milliseconds(r.P99(until, r.Period*time.Duration(len(r.Course)))),
	}
	for _, p := range priorities {
		if e := r.Between(p, from, until); e.All() > 0 {
			t.Trouble = append(t.Trouble, newClass(p, e.All(), e))
		}
	}
	if after, ok := r.Recovered(from, until); ok {
		s := after.Seconds()
		t.Recovered = &s
	}
	return t
}

// share is one of all calls of the trouble, whatever their priority.
func (t *Trial) share(of func(*Class) float64) float64 {
	sum, calls := 0.0, 0.0
	for i := range t.Trouble {
		sum += of(&t.Trouble[i]) * float64(t.Trouble[i].Calls)
		calls += float64(t.Trouble[i].Calls)
	}
	return sum / max(1, calls)
}

// class is that of a priority; nil where no call had it.
func (t *Trial) class(p ratelimit.Priority) *Class {
	for i := range t.Trouble {
		if t.Trouble[i].Priority == p {
			return &t.Trouble[i]
		}
	}
	return nil
}

// trials are those that differ by seed only.
type trials []Trial

func (t trials) over(f func(*Trial) float64) Estimate {
	values := make([]float64, len(t))
	for i := range t {
		values[i] = f(&t[i])
	}
	return estimate(values)
}

// well is the share of a priority that went well, "-" where no call had it.
func (t trials) well(p ratelimit.Priority) string {
	for i := range t {
		if t[i].class(p) == nil {
			return "-"
		}
	}
	return t.over(func(t *Trial) float64 { return t.class(p).Well }).text(4, len(t))
}

// recovered is "never" of those seeds in which all was not as before.
func (t trials) recovered() string {
	for i := range t {
		if t[i].Recovered == nil {
			return "never"
		}
	}
	return t.over(func(t *Trial) float64 { return *t.Recovered }).text(0, len(t))
}

// trialsBySeed puts those together that differ by seed only, in their order.
func trialsBySeed(all []Trial) (groups []trials) {
	same := func(a, b *Trial) bool {
		return a.Scenario == b.Scenario && a.Trial == b.Trial && a.Arm == b.Arm && a.Policy == b.Policy
	}
	for i := range all {
		if n := len(groups); n == 0 || !same(&groups[n-1][0], &all[i]) {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], all[i])
	}
	return groups
}
