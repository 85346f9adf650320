package etcd

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// never is when something is due that is not due.
const never = time.Duration(math.MaxInt64)

// What failed is tried again after pauses from firstPause on. No instance waits
// longer than longestPause for an etcd that is back.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 4 * time.Second
)

// supervisor keeps registrations announced under one lease. Its goroutine, run,
// alone talks to etcd, one call at a time, and always makes the most urgent of
// the calls that would bring what is nearer to what should be. So there is
// nothing to resume after a failure and no list of what to undo: whatever
// happened, the next round sees what is missing.
type supervisor struct {
	conn conn // owned by run, then by close
	keys keys
	ttl  time.Duration
	log  *slog.Logger
	wake chan struct{} // holds a token when there may be something to do

	stop context.CancelFunc
	done chan struct{} // closed when run has returned

	pause *backoff.ExponentialBackOff // between calls for the lease; owned by run

	mu            sync.Mutex // guards all below and the registrations
	closed        bool
	registrations map[string]*registration // by key
	lease         clientv3.LeaseID         // 0: none
	beat          time.Time                // when etcd last confirmed the lease
	due           time.Time                // when to see to the lease next
	trouble       error                    // why that failed last; nil: it did not
	told          bool                     // trouble was logged
	leases        int                      // granted so far
	left          error                    // what close could not withdraw
	changed       broadcast
}

// startSupervisor returns a supervisor whose goroutine ends with close.
func startSupervisor(c conn, k keys, ttl time.Duration, log *slog.Logger) *supervisor {
	ctx, stop := context.WithCancel(context.Background())
	s := &supervisor{
		conn:          c,
		keys:          k,
		ttl:           ttl,
		log:           log,
		wake:          make(chan struct{}, 1),
		stop:          stop,
		done:          make(chan struct{}),
		pause:         newBackoff(firstPause, longestPause),
		registrations: map[string]*registration{},
	}
	go func() {
		defer close(s.done)
		s.run(ctx)
	}()
	return s
}

// add accepts an instance that is to be announced.
func (s *supervisor) add(instance discovery.Instance, value string) (*registration, error) {
	key := s.keys.instance(instance.Service, instance.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, discovery.ErrClosed
	}
	if r := s.registrations[key]; r != nil && r.closing {
		// It is on its way out, and may be for as long as etcd is away. The new
		// record takes the place of the old one, so nothing of it is left.
		r.gone = true
		r.seenLocked(false, time.Now())
		s.changed.tell()
	} else if r != nil {
		return nil, &discovery.FieldError{Field: "Instance.ID", Value: instance.ID, Allowed: "an ID that " + instance.Service + " does not have yet"}
	}
	r := &registration{
		supervisor: s,
		key:        key,
		instance:   instance,
		value:      value,
		since:      time.Now(),
		pause:      newBackoff(firstPause, longestPause),
	}
	s.registrations[key] = r
	s.wakeUp()
	return r, nil
}

func (s *supervisor) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *supervisor) run(ctx context.Context) {
	for ctx.Err() == nil {
		work, wait := s.next(time.Now())
		if wait <= 0 {
			work(ctx)
			if ctx.Err() == nil { // else it failed because it was told to stop
				s.tell()
			}
			continue
		}
		select {
		case <-time.After(wait):
		case <-s.wake:
		case <-ctx.Done():
		}
	}
}

// next returns the most urgent thing to do and how long it can wait. The lease
// comes first, since everything hangs on it. While it is in doubt nothing else
// is tried, so that one call tells whether etcd is back, and not one for each
// registration.
func (s *supervisor) next(now time.Time) (work func(context.Context), wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == 0 {
		return s.nextWithoutLeaseLocked(now)
	}
	work, wait = s.heartbeat, s.due.Sub(now)
	if s.trouble != nil || wait <= 0 {
		return work, wait
	}
	for _, r := range s.registrations {
		if w := r.due.Sub(now); w < wait {
			work, wait = func(ctx context.Context) { s.serve(ctx, r) }, w
		}
	}
	return work, wait
}

func (s *supervisor) nextWithoutLeaseLocked(now time.Time) (work func(context.Context), wait time.Duration) {
	for _, r := range s.registrations {
		if r.closing { // it went with the lease, or was never there
			return func(context.Context) { s.withdrawn(r) }, 0
		}
	}
	if len(s.registrations) == 0 {
		return nil, never
	}
	return s.grant, s.due.Sub(now)
}

// tell logs what has changed since it was called last.
func (s *supervisor) tell() {
	var lines []func()
	s.mu.Lock()
	if trouble := s.trouble; s.told != (trouble != nil) {
		s.told = trouble != nil
		lease := leaseName(s.lease)
		if s.told {
			lines = append(lines, func() { s.log.Warn("lease is in doubt", "lease", lease, "error", trouble) })
		} else {
			lines = append(lines, func() { s.log.Info("lease is held", "lease", lease) })
		}
	}
	for _, r := range s.registrations {
		if is := (outlook{registered: r.registered, troubled: r.trouble != nil}); is != r.told {
			r.told = is
			if trouble := r.trouble; is.troubled {
				lines = append(lines, func() {
					s.log.Warn("instance is not announced as it should be", "key", r.key, "registered", is.registered, "error", trouble)
				})
			} else if repairs := r.repairs; is.registered {
				lines = append(lines, func() { s.log.Info("instance registered", "key", r.key, "repairs", repairs) })
			}
		}
	}
	s.mu.Unlock()
	for _, line := range lines { // not under the lock: a handler may ask for State
		line()
	}
}
