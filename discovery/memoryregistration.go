package discovery

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// memoryRegistration is the [Registration] of a [Memory].
type memoryRegistration struct {
	memory  *Memory
	service *memoryService

	// Guarded by memory.mu.
	instance  *Instance // replaced, never written to: snapshots hold it
	revision  int64     // of the last change made here
	seen      bool      // by others
	announced bool      // it was once
	since     time.Time // when seen last changed
	withdrawn bool      // for good, by Close
}

func (r *memoryRegistration) Instance() Instance {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return *r.instance
}

func (r *memoryRegistration) State() RegistrationState {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	s := RegistrationState{
		Service:    r.instance.Service,
		ID:         r.instance.ID,
		Registered: r.seen,
		Draining:   r.instance.Draining,
		Announced:  r.announced,
		Since:      r.since,
	}
	switch {
	case r.seen:
	case r.withdrawn:
		s.Reason = "closed"
	default:
		s.Unreachable = true
		s.Reason = r.memory.trouble.Error() // nothing else keeps it from being seen
	}
	return s
}

func (r *memoryRegistration) Wait(ctx context.Context) error {
	revision, err := r.current()
	if err != nil {
		return err
	}
	if err := r.arrived(ctx, revision); err != nil {
		return err
	}
	_, err = r.current() // what has arrived may have been a withdrawal
	return err
}

// current returns the revision of the record, or [ErrClosed].
func (r *memoryRegistration) current() (revision int64, err error) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if r.withdrawn {
		return 0, ErrClosed
	}
	return r.revision, nil
}

func (r *memoryRegistration) Update(instance Instance) error {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if r.withdrawn {
		return ErrClosed
	}
	if instance.Service != r.instance.Service {
		return &FieldError{Field: "Instance.Service", Value: instance.Service, Allowed: r.instance.Service + ", as it was registered"}
	}
	if instance.ID != r.instance.ID {
		return &FieldError{Field: "Instance.ID", Value: instance.ID, Allowed: r.instance.ID + ", as it was registered"}
	}
	instance = instance.Normalize(r.instance.StartedAt)
	if err := instance.Validate(); err != nil {
		return err
	}
	r.instance = &instance
	r.revision = r.memory.changedLocked(r.service)
	return nil
}

func (r *memoryRegistration) Drain(ctx context.Context) error {
	r.memory.mu.Lock()
	if !r.withdrawn && !r.instance.Draining {
		draining := *r.instance
		draining.Draining = true
		r.instance = &draining
		r.revision = r.memory.changedLocked(r.service)
	}
	r.memory.mu.Unlock()
	return r.Wait(ctx)
}

func (r *memoryRegistration) Close(ctx context.Context) error {
	r.memory.mu.Lock()
	if r.withdrawn {
		r.memory.mu.Unlock()
		return nil
	}
	r.withdrawLocked(time.Now())
	revision := r.memory.changedLocked(r.service)
	r.memory.mu.Unlock()
	return r.arrived(ctx, revision)
}

// arrived waits until the registry has told its watchers of revision. What
// keeps it from doing so is always some trouble.
func (r *memoryRegistration) arrived(ctx context.Context, revision int64) error {
	for {
		latest := r.service.feed.latest.Load()
		if latest.snapshot.Revision >= revision {
			return nil
		}
		if errors.Is(latest.err, ErrClosed) {
			return ErrClosed
		}
		select {
		case <-latest.outdated:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), latest.err)
		}
	}
}

func (r *memoryRegistration) withdrawLocked(now time.Time) {
	delete(r.service.records, r.instance.ID)
	r.withdrawn = true
	r.seenLocked(false, now)
}

func (r *memoryRegistration) seenLocked(seen bool, now time.Time) {
	if r.seen != seen {
		r.seen, r.since = seen, now
		r.announced = r.announced || seen
	}
}
