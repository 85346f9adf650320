package sim

import (
	"cmp"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/retry"
)

// Admission is what a server does with a call before it works on it. The zero
// value: it lets all in.
type Admission struct {
	// Concurrency is how many it lets in at a time, the more important ones first; it
	// refuses others at once, and asks them to come again in a second, unless RetryAfter
	// says when. nil: there is no such limit.
	Concurrency *ratelimit.ConcurrencyConfig
	// Deadlines makes it refuse calls that have less time left than any took of late.
	Deadlines bool
	// Refusal is the work that it takes to refuse one, of the mean that it takes to
	// serve one. 0 means 0.01.
	Refusal float64
}

func (a Admission) isAny() bool { return a.Concurrency != nil || a.Deadlines }

// entrance is the admission of one server.
type entrance struct {
	limit *ratelimit.Concurrency
	least *retry.Least
	costs float64 // nanoseconds of work for each that is refused
}

func (w *world) entrance(a Admission) (e entrance) {
	e.costs = cmp.Or(a.Refusal, 0.01) * float64(w.plan.Work.Mean)
	if a.Concurrency != nil {
		var err error
		if e.limit, err = ratelimit.NewConcurrency(*a.Concurrency); err != nil {
			panic(err) // the plan is valid
		}
	}
	if a.Deadlines {
		e.least = new(retry.Least)
	}
	return e
}

// enter lets an attempt into its server, or not: refusing is work, too.
func (w *world) enter(a *attempt) bool {
	s := w.servers[a.server]
	e := &s.entrance
	limit, _ := w.limit(a)
	if e.least != nil && !e.least.Allows(time.Duration(w.now), time.Duration(limit-w.now)) ||
		e.limit != nil && !e.limit.TryAcquire(w.calls[a.call].priority) {
		s.serve(w.now, e.costs)
		return false
	}
	a.entered = true
	return true
}

// exit is when a server is done with an attempt that it let in. One that took longer
// than its caller waited is to it as if it had been dropped.
func (w *world) exit(a *attempt) {
	if !a.entered {
		return
	}
	a.entered = false
	e := &w.servers[a.server].entrance
	now, took := time.Duration(w.now), time.Duration(w.now-a.begun-w.delay(a))
	limit, _ := w.limit(a)
	late := w.now >= limit
	if e.limit != nil {
		e.limit.Done(w.calls[a.call].priority, now, took, late)
	}
	if e.least != nil && !late {
		e.least.Record(now, took)
	}
}

func (a Admission) validate() error {
	if c := a.Concurrency; c != nil {
		if err := c.Validate(); err != nil {
			return err
		}
		if c.MaxWait > 0 {
			return bad("Admission.Concurrency.MaxWait", c.MaxWait, "0: here a call waits for a worker only")
		}
	}
	return number("Admission.Refusal", a.Refusal, 0, 1)
}

// validateAdmission looks at what servers with an admission cannot be.
func (p *Plan) validateAdmission() error {
	for i, c := range p.Fleet {
		if field := fmt.Sprintf("Fleet[%d].Admission", i); c.Admission.isAny() {
			if p.Heeds {
				return bad(field, c.Admission, "none where servers heed their callers")
			}
			if p.hops() > 1 {
				return bad(field, c.Admission, "none where there are hops")
			}
		}
	}
	return nil
}
