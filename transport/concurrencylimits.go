package transport

import (
	"context"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// concurrencyLimit bounds the calls in flight: all, or those of each of what it is
// per.
type concurrencyLimit struct {
	is      rule.ConcurrencyTable
	one     *ratelimit.Concurrency // of the service, and of methods for which there is no room
	classes [ratelimit.NumberOfPriorities]*ratelimit.Concurrency
	methods *perKey[methodKey, ratelimit.Concurrency]
	refused *refusals
}

// newConcurrencyLimit returns what the rules ask for, in the place of one of that
// name.
func newConcurrencyLimit(is rule.ConcurrencyTable, before *concurrencyLimit) *concurrencyLimit {
	if before != nil && before.is.Keeps(&is.Counting) {
		l := *before
		l.is = is
		for one := range l.all() {
			_ = one.Set(is.Config) // validated
		}
		return &l
	}
	l := &concurrencyLimit{is: is, one: newConcurrency(is.Config), methods: new(perKey[methodKey, ratelimit.Concurrency]), refused: new(refusals)}
	if is.Per == rule.PerClass {
		for i := range l.classes {
			l.classes[i] = newConcurrency(is.Config)
		}
	}
	return l
}

func newConcurrency(c ratelimit.ConcurrencyConfig) *ratelimit.Concurrency {
	l, _ := ratelimit.NewConcurrency(c) // validated
	return l
}

// all yields those that there are.
func (l *concurrencyLimit) all() func(func(*ratelimit.Concurrency) bool) {
	return func(yield func(*ratelimit.Concurrency) bool) {
		if !yield(l.one) {
			return
		}
		for _, one := range l.classes {
			if one != nil && !yield(one) {
				return
			}
		}
		for _, one := range l.methods.all() {
			if !yield(one) {
				return
			}
		}
	}
}

func (l *concurrencyLimit) of(s *subject) *ratelimit.Concurrency {
	switch l.is.Per {
	case rule.PerMethod:
		if one := l.methods.of(s.method); one != nil {
			return one
		}
		if one := l.methods.add(s.method, func() *ratelimit.Concurrency { return newConcurrency(l.is.Config) }); one != nil {
			return one
		}
	case rule.PerClass:
		return l.classes[s.priority.Index()]
	}
	return l.one
}

// pass takes a place, be it after a wait, or refuses the call.
func (l *concurrencyLimit) pass(ctx context.Context, s *subject, held *permits) error {
	one := l.of(s)
	if l.is.Config.MaxWait == 0 {
		if one.TryAcquire(s.priority) {
			held.hold(one)
			return nil
		}
	} else if err := one.Acquire(ctx, s.priority); err == nil {
		held.hold(one)
		return nil
	} else if ctx.Err() != nil {
		return err
	}
	l.refused[s.priority.Index()].Add(1)
	return &Refusal{Limit: l.is.Name, Priority: s.priority, Err: ratelimit.ErrConcurrency}
}
