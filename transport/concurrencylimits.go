package transport

import (
	"context"
	"errors"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// concurrencyLimit bounds the calls in flight as one document has it: all, or those
// of each of what it is per.
type concurrencyLimit struct {
	is rule.ConcurrencyTable
	*flights
}

// flights is what a limit of concurrency counts with. It outlives documents.
type flights struct {
	scoped[ratelimit.Concurrency, ratelimit.ConcurrencyConfig]
	refused refusals
}

// newConcurrencyLimit returns what the rules ask for, in the place of one of that
// name.
func newConcurrencyLimit(is rule.ConcurrencyTable, before *concurrencyLimit) *concurrencyLimit {
	if before != nil && before.is.Keeps(&is.Counting) {
		before.set(is.Config, (*ratelimit.Concurrency).Set)
		return &concurrencyLimit{is, before.flights}
	}
	f := new(flights)
	f.begin(is.Per, is.Config, newConcurrency)
	return &concurrencyLimit{is, f}
}

func newConcurrency(c ratelimit.ConcurrencyConfig) *ratelimit.Concurrency {
	l, _ := ratelimit.NewConcurrency(c) // validated
	return l
}

// pass takes a place, be it after a wait, or refuses the call. What is no [Refusal] is
// the end of the call's time.
func (l *concurrencyLimit) pass(ctx context.Context, s *subject, held *permits) error {
	one := l.of(l.is.Per, s)
	if l.is.Config.MaxWait == 0 {
		if one.TryAcquire(s.priority) {
			held.hold(one, l.is.Config.Adaptive != nil)
			return nil
		}
	} else {
		err := one.Acquire(ctx, s.priority)
		if err == nil {
			held.hold(one, l.is.Config.Adaptive != nil)
		}
		if !errors.Is(err, ratelimit.ErrConcurrency) {
			return err
		}
	}
	l.refused[s.priority.Index()].Add(1)
	return &Refusal{Limit: l.is.Name, Priority: s.priority, Err: ratelimit.ErrConcurrency}
}
