package discovery

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// Register implements [Registrar]: it registers the instance with every member
// that is a Registrar and not ReadOnly. A member that is closed keeps it out of
// none of the others; the registration's State says so, and its methods return
// an error that names that member.
//
// The error is [ErrNoRegistrar] where no member registers instances, a
// [*FieldError] where one of them finds the instance bad, which is then
// registered nowhere, and [ErrClosed] where the composite or all members are.
func (c *Composite) Register(ctx context.Context, instance Instance) (Registration, error) {
	instance = instance.Normalize(time.Now()) // here, so that all members are given the same
	if err := instance.Validate(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	if closing {
		return nil, ErrClosed
	}
	r := &compositeRegistration{composite: c}
	var errs []error
	for _, m := range c.members {
		if m.registrar == nil {
			continue
		}
		one, err := m.registrar.Register(ctx, instance)
		if err != nil {
			err = named(m.name, err)
			errs = append(errs, err)
			if errors.Is(err, ErrInvalid) {
				r.forsake()
				return nil, err
			}
			r.refused = append(r.refused, err)
			continue
		}
		r.parts = append(r.parts, part{m.name, one})
	}
	if len(r.parts) == 0 {
		if len(errs) == 0 {
			return nil, ErrNoRegistrar
		}
		return nil, errors.Join(errs...)
	}
	c.mu.Lock()
	closing = c.closing
	c.registrations[r] = struct{}{}
	c.mu.Unlock()
	if closing { // it came while the composite closed
		return nil, errors.Join(ErrClosed, r.Close(ctx))
	}
	return r, nil
}

// compositeRegistration is one instance announced in several registries.
type compositeRegistration struct {
	composite *Composite
	parts     []part  // one at least
	refused   []error // of the members that did not take the instance

	updating sync.Mutex // so that the last Update is the last everywhere
}

// part is the registration in one member.
type part struct {
	name string
	Registration
}

func (r *compositeRegistration) Instance() Instance { return r.parts[0].Instance() }

// State says that the instance is registered if it is everywhere: who reads
// one of the registries alone would miss it otherwise. Since is when the last
// of them got it, or when the first of those that lack it lost it. Unreachable
// says that none of those can be heard.
func (r *compositeRegistration) State() RegistrationState {
	all := RegistrationState{Announced: true, Unreachable: true}
	var lacking []string
	var got, lost time.Time
	for _, p := range r.parts {
		s := p.State()
		all.Service, all.ID = s.Service, s.ID
		all.Draining = all.Draining || s.Draining
		all.Repairs += s.Repairs
		all.Announced = all.Announced && s.Announced
		all.Unreachable = all.Unreachable && (s.Registered || s.Unreachable)
		if s.Registered {
			if s.Since.After(got) {
				got = s.Since
			}
			continue
		}
		if lost.IsZero() || s.Since.Before(lost) {
			lost = s.Since
		}
		lacking = append(lacking, named(p.name, errors.New(s.Reason)).Error())
	}
	for _, err := range r.refused {
		lacking = append(lacking, err.Error())
	}
	all.Registered, all.Reason = len(lacking) == 0, strings.Join(lacking, "; ")
	all.Unreachable = all.Unreachable && !all.Registered && len(r.refused) == 0
	all.Since = lost
	if lost.IsZero() {
		all.Since = got
	}
	return all
}

// Wait waits for all registries.
func (r *compositeRegistration) Wait(ctx context.Context) error {
	return r.everywhere(func(one Registration) error { return one.Wait(ctx) })
}

// Update changes the instance everywhere, or nowhere if a registry finds it
// bad.
func (r *compositeRegistration) Update(instance Instance) error {
	r.updating.Lock()
	defer r.updating.Unlock()
	before := r.Instance()
	var errs []error
	for n, p := range r.parts {
		err := named(p.name, p.Update(instance))
		if errors.Is(err, ErrInvalid) {
			for _, p := range r.parts[:n] {
				err = errors.Join(err, named(p.name, p.Update(before)))
			}
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, r.refused...)...)
}

// Drain waits for all registries.
func (r *compositeRegistration) Drain(ctx context.Context) error {
	return r.everywhere(func(one Registration) error { return one.Drain(ctx) })
}

// Close waits for all registries.
func (r *compositeRegistration) Close(ctx context.Context) error {
	r.composite.mu.Lock()
	delete(r.composite.registrations, r)
	r.composite.mu.Unlock()
	return r.withdraw(ctx)
}

func (r *compositeRegistration) withdraw(ctx context.Context) error {
	return together(r.parts, func(p part) error { return named(p.name, p.Registration.Close(ctx)) })
}

// everywhere calls do for all parts at once. What fails in one keeps it from
// none of the others.
func (r *compositeRegistration) everywhere(do func(Registration) error) error {
	err := together(r.parts, func(p part) error { return named(p.name, do(p.Registration)) })
	return errors.Join(append([]error{err}, r.refused...)...)
}

// forsake withdraws the instance without waiting for that.
func (r *compositeRegistration) forsake() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.withdraw(ctx) // the error says that nobody waited
}
