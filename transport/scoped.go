package transport

import (
	"iter"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/rule"
)

// scoped is what a limit counts with: one T, or one for each priority or method. It
// outlives documents, by whose configuration all of them go.
type scoped[T, C any] struct {
	made    func(C) *T
	config  atomic.Pointer[C]
	one     *T // of the service, and of methods for which there is no room
	classes [ratelimit.NumberOfPriorities]*T
	methods perKey[methodKey, T]
}

func (s *scoped[T, C]) begin(per rule.Scope, c C, made func(C) *T) {
	s.made, s.one = made, made(c)
	s.config.Store(&c)
	if per == rule.PerClass {
		for i := range s.classes {
			s.classes[i] = made(c)
		}
	}
}

// of returns the one that counts a call.
func (s *scoped[T, C]) of(per rule.Scope, call *subject) *T {
	switch per {
	case rule.PerClass:
		return s.classes[call.priority.Index()]
	case rule.PerMethod:
		key := call.methodKey()
		if one := s.methods.of(key); one != nil {
			return one
		}
		if one := s.methods.add(key, func() *T { return s.made(*s.config.Load()) }); one != nil {
			return one
		}
	}
	return s.one
}

// all yields those that there are.
func (s *scoped[T, C]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if !yield(s.one) {
			return
		}
		for _, one := range s.classes {
			if one != nil && !yield(one) {
				return
			}
		}
		for _, one := range s.methods.all() {
			if !yield(one) {
				return
			}
		}
	}
}

// set has all go by another configuration, also those that calls are making.
func (s *scoped[T, C]) set(c C, set func(*T, C) error) {
	s.config.Store(&c)
	s.methods.settle()
	for one := range s.all() {
		_ = set(one, c) // validated
	}
}
