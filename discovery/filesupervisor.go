package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// What failed is tried again after pauses that double from one to the other.
const (
	firstFilePause   = 250 * time.Millisecond
	longestFilePause = 4 * time.Second
)

// fileSupervisor keeps registrations announced. Its goroutine, run, alone
// writes files, and always sees to the registration whose turn it is by
// comparing what is with what should be. So there is nothing to resume after a
// failure: the next round sees what is missing.
type fileSupervisor struct {
	dir  string
	ttl  time.Duration
	log  *slog.Logger
	wake chan struct{} // holds a token when there may be something to do
	done chan struct{} // closed when close is done

	ctx     context.Context // of run
	stop    context.CancelFunc
	stopped chan struct{} // closed when run has returned

	swept map[string]bool // services whose litter was removed; owned by run

	mu            sync.Mutex // guards all below and the registrations
	started       bool       // run was
	closed        bool
	registrations map[string]*fileRegistration // by path
	left          error                        // what close could not withdraw
	changed       chan struct{}                // closed and replaced at each change
}

func newFileSupervisor(dir string, ttl time.Duration, log *slog.Logger) *fileSupervisor {
	s := &fileSupervisor{
		dir:           dir,
		ttl:           ttl,
		log:           log,
		wake:          make(chan struct{}, 1),
		done:          make(chan struct{}),
		stopped:       make(chan struct{}),
		swept:         map[string]bool{},
		registrations: map[string]*fileRegistration{},
		changed:       make(chan struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// add accepts an instance that is to be announced. The first one starts the
// goroutine.
func (s *fileSupervisor) add(instance Instance) (*fileRegistration, error) {
	r := &fileRegistration{
		supervisor:  s,
		path:        instance.Service + "/" + fileName(instance.ID),
		incarnation: NewID(),
		instance:    instance,
		since:       time.Now(),
	}
	var err error
	if r.value, err = encodeFile(instance, s.ttl, r.incarnation); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if other := s.registrations[r.path]; other != nil && other.closing {
		// It is on its way out. The new record takes the place of the old one,
		// so nothing of it is left.
		other.goneLocked(time.Now())
	} else if other != nil {
		return nil, &FieldError{Field: "Instance.ID", Value: instance.ID, Allowed: "an ID that " + instance.Service + " does not have yet"}
	}
	s.registrations[r.path] = r
	if !s.started {
		s.started = true
		go s.run() // ends with s.ctx; close waits for it
	}
	s.hurryLocked()
	return r, nil
}

// hurryLocked makes the goroutine look again.
func (s *fileSupervisor) hurryLocked() {
	s.changedLocked()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *fileSupervisor) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fileSupervisor) run() {
	defer close(s.stopped)
	for s.ctx.Err() == nil {
		r, wait := s.next(time.Now())
		if wait <= 0 {
			s.serve(r)
			s.tell(r)
			continue
		}
		select {
		case <-time.After(wait):
		case <-s.wake:
		case <-s.ctx.Done():
		}
	}
}

// next returns whose turn it is and how long that can wait.
func (s *fileSupervisor) next(now time.Time) (next *fileRegistration, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = math.MaxInt64
	for _, r := range s.registrations {
		if w := r.due.Sub(now); w < wait {
			next, wait = r, w
		}
	}
	return next, wait
}

// serve does for one registration what it needs most.
func (s *fileSupervisor) serve(r *fileRegistration) {
	s.mu.Lock()
	mine := r.fileLocked()
	closing, proved := r.closing, r.proved
	s.mu.Unlock()

	began := time.Now()
	var err error
	switch {
	case closing:
		err = mine.remove()
	case proved:
		err = mine.renew()
	default:
		err = mine.put()
	}

	_, other := errors.AsType[*fileDiffers](err)
	s.mu.Lock()
	switch {
	case r.gone: // close did not wait for us
	case proved && other:
		r.forgottenLocked(err, time.Now())
	case err != nil:
		r.failedLocked(err, time.Now())
	case closing:
		r.goneLocked(time.Now())
	default:
		r.confirmedLocked(mine.value, began)
	}
	s.changedLocked()
	s.mu.Unlock()

	if err == nil && !closing && !s.swept[mine.service] {
		s.swept[mine.service] = true
		sweep(mine, began, s.log)
	}
}

// close withdraws everything, in the order that leaves no way back: accept
// nothing more, stop what announces and wait for it, only then remove. The
// error says what is left to expire. A second close waits for the first.
func (s *fileSupervisor) close(ctx context.Context) error {
	s.mu.Lock()
	first, started := !s.closed, s.started
	s.closed = true
	for _, r := range s.registrations {
		r.closing = true
	}
	s.changedLocked()
	s.mu.Unlock()
	if !first {
		select {
		case <-s.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(s.done)
	s.stop()
	if started {
		select {
		case <-s.stopped:
		case <-ctx.Done():
		}
	}
	return s.withdrawAll(ctx)
}

// withdrawAll removes all files. Nobody else has anything to do any more.
func (s *fileSupervisor) withdrawAll(ctx context.Context) error {
	s.mu.Lock()
	all := slices.SortedFunc(maps.Values(s.registrations), byPath)
	s.mu.Unlock()
	var errs []error
	for _, r := range all {
		err := ctx.Err()
		if err == nil {
			err = r.file().remove()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("discovery: %s is left, it expires within %s: %w", r.path, s.ttl, err))
		}
	}
	left := errors.Join(errs...)
	s.mu.Lock()
	s.left = left
	for _, r := range all {
		r.goneLocked(time.Now())
	}
	s.changedLocked()
	s.mu.Unlock()
	for _, r := range all {
		s.tell(r)
	}
	if left != nil {
		s.log.Warn("instance files are left to expire", "error", left)
	}
	return left
}

// tell logs what has changed with r since it was told last.
func (s *fileSupervisor) tell(r *fileRegistration) {
	s.mu.Lock()
	before, trouble, repairs, gone := r.told, r.trouble, r.repairs, r.gone
	is := fileOutlook{registered: r.registered, troubled: trouble != nil}
	r.told = is
	s.mu.Unlock()
	switch { // not under the lock: a handler may ask for State
	case is == before:
	case gone:
		s.log.Info("instance withdrawn", "file", r.path)
	case is.troubled:
		s.log.Warn("instance is not announced as it should be", "file", r.path, "registered", is.registered, "error", trouble)
	case is.registered:
		s.log.Info("instance registered", "file", r.path, "repairs", repairs)
	}
}

func (s *fileSupervisor) state() []RegistrationState {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]RegistrationState, 0, len(s.registrations))
	for _, r := range slices.SortedFunc(maps.Values(s.registrations), byPath) {
		all = append(all, r.stateLocked())
	}
	return all
}

func byPath(a, b *fileRegistration) int { return strings.Compare(a.path, b.path) }
