package discovery

import (
	"context"
	"fmt"
	"time"
)

// fileRegistration is one instance that a [fileSupervisor] keeps announced. The
// methods say what should be; the supervisor's goroutine makes it so.
type fileRegistration struct {
	supervisor  *fileSupervisor
	path        string // <service>/<name>
	incarnation string // in the file, so that nobody takes it for another's

	// Guarded by supervisor.mu.

	// What should be.
	instance Instance
	value    []byte // the record of instance
	closing  bool   // it should not be at all

	// What is.
	registered bool      // others can see the instance, as far as is known
	announced  bool      // it was once
	proved     bool      // value was read back
	gone       bool      // withdrawn for good
	since      time.Time // of registered
	beat       time.Time // when the file was last made young
	trouble    error     // what went wrong last; nil: nothing
	lost       bool      // a file that was there was not, or was too old to count
	repairs    int
	told       fileOutlook // as it was logged last

	due   time.Time     // when to look after it next; zero: now
	pause time.Duration // after the last failure; zero: it went well
}

// fileOutlook is what is worth a line in the log when it changes.
type fileOutlook struct{ registered, troubled bool }

// Instance implements [Registration].
func (r *fileRegistration) Instance() Instance {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.instance
}

// State implements [Registration].
func (r *fileRegistration) State() RegistrationState {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.stateLocked()
}

func (r *fileRegistration) stateLocked() RegistrationState {
	s := RegistrationState{
		Service:    r.instance.Service,
		ID:         r.instance.ID,
		Registered: r.registered,
		Draining:   r.instance.Draining,
		Announced:  r.announced,
		Since:      r.since,
		Repairs:    r.repairs,
	}
	switch {
	case r.registered:
	case r.gone:
		s.Reason = "closed"
	case r.trouble != nil:
		s.Unreachable = true
		s.Reason = r.trouble.Error()
	default:
		s.Reason = "not announced yet"
	}
	return s
}

// Wait implements [Registration].
func (r *fileRegistration) Wait(ctx context.Context) error {
	return r.until(ctx, func() (bool, error) {
		if r.closing {
			return true, ErrClosed
		}
		return r.proved && r.registered, nil
	})
}

// until waits for ready, which is called with the supervisor's mutex held.
func (r *fileRegistration) until(ctx context.Context, ready func() (bool, error)) error {
	s := r.supervisor
	for {
		s.mu.Lock()
		done, err := ready()
		trouble, changed := r.trouble, s.changed
		s.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if trouble == nil {
				return fmt.Errorf("discovery: %s: %w", r.path, ctx.Err())
			}
			return fmt.Errorf("discovery: %s: %w: %w", r.path, ctx.Err(), trouble)
		}
	}
}

// Update implements [Registration].
func (r *fileRegistration) Update(instance Instance) error {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.updateLocked(instance)
}

func (r *fileRegistration) updateLocked(instance Instance) error {
	if r.closing {
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
	value, err := encodeFile(instance, r.supervisor.ttl, r.incarnation)
	if err != nil {
		return err
	}
	r.instance = instance
	if string(value) != string(r.value) {
		r.value, r.proved = value, false
		r.hurryLocked()
	}
	return nil
}

// Drain implements [Registration].
func (r *fileRegistration) Drain(ctx context.Context) error {
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

// Close implements [Registration].
func (r *fileRegistration) Close(ctx context.Context) error {
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
func (r *fileRegistration) hurryLocked() {
	r.due, r.pause = time.Time{}, 0
	r.supervisor.hurryLocked()
}

func (r *fileRegistration) file() ownFile {
	r.supervisor.mu.Lock()
	defer r.supervisor.mu.Unlock()
	return r.fileLocked()
}

func (r *fileRegistration) fileLocked() ownFile {
	return ownFile{
		dir:         r.supervisor.dir,
		service:     r.instance.Service,
		name:        fileName(r.instance.ID),
		incarnation: r.incarnation,
		value:       r.value,
	}
}

// confirmedLocked: value was read back from a file made young at beat or later.
func (r *fileRegistration) confirmedLocked(value []byte, beat time.Time) {
	if r.lost || r.registered && beat.Sub(r.beat) > r.supervisor.ttl { // nobody counted it for a while
		r.lost = false
		r.repairs++
	}
	r.seenLocked(true, beat)
	r.beat, r.trouble, r.pause = beat, nil, 0
	if string(value) == string(r.value) && !r.closing { // else there is more to do at once
		r.proved = true
		r.due = beat.Add(r.supervisor.ttl / 4)
	}
}

// forgottenLocked: somebody has removed or changed the file.
func (r *fileRegistration) forgottenLocked(why error, now time.Time) {
	r.lost = true
	r.seenLocked(false, now)
	r.proved, r.trouble, r.due = false, why, time.Time{}
}

// failedLocked: it has to be tried again. A file that is too old does not count
// any more.
func (r *fileRegistration) failedLocked(err error, now time.Time) {
	r.trouble = err
	r.pause = max(firstFilePause, min(2*r.pause, longestFilePause))
	r.due = now.Add(r.pause)
	if r.registered && now.Sub(r.beat) > r.supervisor.ttl {
		r.lost = true
		r.seenLocked(false, now)
	}
}

// goneLocked: nothing of r is left, or nobody looks after it any more.
func (r *fileRegistration) goneLocked(now time.Time) {
	r.gone, r.trouble = true, nil
	r.seenLocked(false, now)
	if s := r.supervisor; s.registrations[r.path] == r {
		delete(s.registrations, r.path)
	}
}

func (r *fileRegistration) seenLocked(seen bool, now time.Time) {
	if r.registered != seen {
		r.registered, r.since = seen, now
		r.announced = r.announced || seen
	}
}
