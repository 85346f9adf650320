package etcd

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// registration is one instance that the supervisor keeps announced. The
// methods say what should be; the supervisor's goroutine makes it so.
type registration struct {
	*holding   // its fields are guarded by supervisor.mu
	supervisor *supervisor
	instance   discovery.Instance // as it should be announced; guarded by supervisor.mu
}

// Instance implements [discovery.Registration].
func (r *registration) Instance() discovery.Instance {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.instance
}

// State implements [discovery.Registration].
func (r *registration) State() discovery.RegistrationState {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.stateLocked()
}

func (r *registration) stateLocked() discovery.RegistrationState {
	asleep, expired := r.supervisor.asleepLocked(), r.supervisor.expiredLocked()
	s := discovery.RegistrationState{
		Service:    r.instance.Service,
		ID:         r.instance.ID,
		Registered: r.held && !asleep && !expired,
		Draining:   r.instance.Draining,
		Announced:  r.settled,
		Since:      r.since,
		Repairs:    r.repairs,
	}
	switch {
	case s.Registered:
	case r.gone:
		s.Reason = "closed"
	case r.held && asleep:
		s.Reason = errSlept(age(r.supervisor.awake, time.Now())).Error()
	case r.held:
		s.Unreachable, s.Reason = true, errSilent(age(r.supervisor.beat, time.Now())).Error()
	case r.troubleLocked() != nil:
		s.Unreachable = unreachable(r.troubleLocked())
		s.Reason = r.troubleLocked().Error()
	default:
		s.Reason = "not announced yet"
	}
	return s
}

// troubleLocked is what keeps r from being as it should be.
func (r *registration) troubleLocked() error {
	if r.trouble != nil {
		return r.trouble
	}
	return r.supervisor.trouble
}

// Wait implements [discovery.Registration].
func (r *registration) Wait(ctx context.Context) error {
	return r.until(ctx, func() (bool, error) {
		if r.closing {
			return true, discovery.ErrClosed
		}
		return r.proved && r.held, nil
	})
}

// until waits for ready, which is called with the supervisor's mutex held.
func (r *registration) until(ctx context.Context, ready func() (bool, error)) error {
	s := r.supervisor
	for {
		s.mu.Lock()
		done, err := ready()
		changed := r.changed.next()
		s.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.mu.Lock()
			trouble := r.troubleLocked()
			s.mu.Unlock()
			if trouble == nil {
				return fmt.Errorf("discovery/etcd: %s: %w", r.key, ctx.Err())
			}
			return fmt.Errorf("discovery/etcd: %s: %w: %w", r.key, ctx.Err(), trouble)
		}
	}
}

// Update implements [discovery.Registration].
func (r *registration) Update(instance discovery.Instance) error {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.updateLocked(instance)
}

func (r *registration) updateLocked(instance discovery.Instance) error {
	if r.closing {
		return discovery.ErrClosed
	}
	if instance.Service != r.instance.Service {
		return &discovery.FieldError{Field: "Instance.Service", Value: instance.Service, Allowed: r.instance.Service + ", as it was registered"}
	}
	if instance.ID != r.instance.ID {
		return &discovery.FieldError{Field: "Instance.ID", Value: instance.ID, Allowed: r.instance.ID + ", as it was registered"}
	}
	instance = instance.Normalize(r.instance.StartedAt)
	if err := instance.Validate(); err != nil {
		return err
	}
	value, err := encode(instance, r.supervisor.incarnation)
	if err != nil {
		return err
	}
	r.instance = instance
	if value != r.value {
		r.value, r.proved = value, false
		r.hurryLocked()
	}
	return nil
}

// Drain implements [discovery.Registration].
func (r *registration) Drain(ctx context.Context) error {
	r.supervisor.mu.Lock()
	instance := r.instance
	instance.Draining = true
	err := r.updateLocked(instance)
	r.supervisor.mu.Unlock()
	if err != nil {
		return err
	}
	return r.Wait(ctx)
}

// Close implements [discovery.Registration].
func (r *registration) Close(ctx context.Context) error {
	r.supervisor.mu.Lock()
	first := !r.closing
	if first {
		r.closing, r.proved = true, false
		r.hurryLocked()
	}
	r.supervisor.mu.Unlock()
	if !first {
		return nil
	}
	return r.until(ctx, func() (bool, error) { return r.gone, r.supervisor.left })
}

// hurryLocked makes the supervisor look after r at once.
func (r *registration) hurryLocked() {
	r.due = time.Time{}
	r.pause.Reset()
	r.changed.tell()
	r.supervisor.wakeUp()
}
