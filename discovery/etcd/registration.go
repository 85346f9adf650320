package etcd

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/fairlead-go/fairlead/discovery"
)

// registration is one instance that the supervisor keeps announced. The
// methods say what should be; the supervisor's goroutine makes it so.
type registration struct {
	supervisor *supervisor
	key        string

	// Guarded by supervisor.mu.

	// What should be.
	instance discovery.Instance
	value    string // the record of instance
	closing  bool   // it should not be at all

	// What is.
	registered bool      // others can see the instance, as far as is known
	proved     bool      // value was read back under the lease of now
	gone       bool      // withdrawn for good
	since      time.Time // of registered
	trouble    error     // what went wrong last; nil: nothing
	lost       bool      // etcd lost a record that it had
	repairs    int
	told       outlook // as it was logged last

	due   time.Time // when to look after it next; zero: now
	pause *backoff.ExponentialBackOff
	// doubtful: the outcome of the last put is unknown. It may still arrive,
	// even after a deletion.
	doubtful bool
}

// outlook is what is worth a line in the log when it changes.
type outlook struct{ registered, troubled bool }

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
	s := discovery.RegistrationState{
		Service:    r.instance.Service,
		ID:         r.instance.ID,
		Registered: r.registered,
		Draining:   r.instance.Draining,
		Since:      r.since,
		Repairs:    r.repairs,
	}
	switch {
	case r.registered:
	case r.gone:
		s.Reason = "closed"
	case r.troubleLocked() != nil:
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

func (r *registration) seenLocked(seen bool, now time.Time) {
	if r.registered != seen {
		r.registered, r.since = seen, now
	}
}

// forgottenLocked takes note that etcd no longer holds the record.
func (r *registration) forgottenLocked(why error, now time.Time) {
	r.lost = r.lost || r.registered || r.proved
	r.seenLocked(false, now)
	r.proved, r.trouble, r.due = false, why, time.Time{}
}

// Wait implements [discovery.Registration].
func (r *registration) Wait(ctx context.Context) error {
	return r.until(ctx, func() (bool, error) {
		if r.closing {
			return true, discovery.ErrClosed
		}
		return r.proved && r.registered, nil
	})
}

// until waits for ready, which is called with the supervisor's mutex held.
func (r *registration) until(ctx context.Context, ready func() (bool, error)) error {
	s := r.supervisor
	for {
		s.mu.Lock()
		done, err := ready()
		trouble, changed := r.troubleLocked(), s.changed.next()
		s.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
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
	value, err := encode(instance)
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
	r.supervisor.changed.tell()
	r.supervisor.wakeUp()
}
