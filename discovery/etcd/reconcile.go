package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// serve does for one registration what it needs most.
func (s *supervisor) serve(ctx context.Context, r *registration) {
	s.mu.Lock()
	mine := own{key: r.key, value: r.value, lease: s.lease}
	closing, proved := r.closing, r.proved
	s.mu.Unlock()

	client, err := s.conn.open(ctx)
	switch {
	case err != nil:
	case closing:
		err = mine.remove(ctx, client)
	case proved:
		err = mine.check(ctx, client)
	default:
		err = mine.put(ctx, client)
	}
	err = s.conn.report(err)

	_, other := errors.AsType[*differs](err)
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		s.leaseLost(err)
	case proved && other:
		s.forgotten(r, err)
	case err != nil:
		s.failed(r, err, !closing && !proved)
	case closing:
		s.withdrawn(r)
	default:
		s.confirmed(r, mine.value)
	}
}

// confirmed: value was read back under the lease of now.
func (s *supervisor) confirmed(r *registration, value string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r.seenLocked(true, now)
	r.pause.Reset()
	r.trouble = nil
	if r.lost {
		r.lost = false
		r.repairs++
	}
	if value == r.value && !r.closing { // else there is more to do at once
		r.proved = true
		r.doubtful = false
		r.due = now.Add(between(24*time.Second, 30*time.Second))
	}
	s.changed.tell()
}

// forgotten: etcd holds another record or none, though it once held this one.
func (s *supervisor) forgotten(r *registration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.forgottenLocked(err, time.Now())
	s.changed.tell()
}

// failed: it has to be tried again.
func (s *supervisor) failed(r *registration, err error, put bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.trouble = err
	r.doubtful = r.doubtful || put
	r.due = time.Now().Add(r.pause.NextBackOff())
	s.changed.tell()
}

// withdrawn: nothing of r is left. A put whose outcome was never known may
// still be on its way, so r is then removed once more when it must have
// arrived; nobody waits for that.
func (s *supervisor) withdrawn(r *registration) {
	now := time.Now()
	s.mu.Lock()
	first := !r.gone
	r.gone, r.trouble = true, nil
	r.seenLocked(false, now)
	if r.doubtful && s.lease != 0 {
		r.doubtful = false
		r.due = now.Add(2 * callTimeout)
	} else if s.registrations[r.key] == r {
		delete(s.registrations, r.key)
	}
	s.changed.tell()
	s.mu.Unlock()
	if first {
		s.log.Info("instance withdrawn", "key", r.key)
	}
}
