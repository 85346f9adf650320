package etcd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// grant obtains a lease.
func (s *supervisor) grant(ctx context.Context) {
	client, err := s.conn.open(ctx)
	var lease *clientv3.LeaseGrantResponse
	if err == nil {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		lease, err = client.Grant(call, int64(math.Ceil(s.ttl.Seconds())))
		cancel()
		err = s.conn.report(err)
	}
	if err != nil {
		s.leaseFailed(err)
		return
	}
	s.leaseConfirmed(lease.ID)
	if err := s.conn.report(beginHistory(ctx, client, s.keys.epoch())); err != nil {
		// The next grant, here or elsewhere, makes up for it. Until then lists
		// are read anew more often than need be.
		s.log.Debug("epoch not written", "error", err)
	}
}

// heartbeat renews the lease. Each call has a deadline because etcd's client
// would try for ever. It is not the client's own stream of renewals, which
// ends without saying why, or not at all.
func (s *supervisor) heartbeat(ctx context.Context) {
	client, err := s.conn.open(ctx)
	if err == nil {
		call, cancel := context.WithTimeout(ctx, min(callTimeout, s.ttl/6))
		_, err = client.KeepAliveOnce(call, s.lease) // run alone writes s.lease
		cancel()
		err = s.conn.report(err)
	}
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		s.leaseLost(err)
	case err != nil:
		s.leaseFailed(err)
	default:
		s.leaseConfirmed(s.lease)
	}
}

func (s *supervisor) leaseConfirmed(lease clientv3.LeaseID) {
	s.pause.Reset()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if lease != s.lease {
		s.lease = lease
		s.leases++
	}
	s.beat = now
	s.due = now.Add(between(s.ttl/4*9/10, s.ttl/4*11/10))
	if s.trouble != nil {
		s.trouble = nil
		for _, r := range s.registrations {
			r.due = time.Time{} // the record may have gone meanwhile
		}
	}
	s.changed.tell()
}

// leaseFailed takes note that etcd did not do what was asked. Whether it still
// has the lease is unknown; once it is older than its time to live, nobody can
// be said to see what hangs on it.
func (s *supervisor) leaseFailed(err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = err
	s.due = now.Add(s.pause.NextBackOff())
	if s.lease != 0 && age(s.beat, now) > s.ttl {
		err = fmt.Errorf("no heartbeat for %s: %w", age(s.beat, now).Round(time.Second), err)
		for _, r := range s.registrations {
			r.seenLocked(false, now)
			r.trouble = err
		}
	}
	s.changed.tell()
}

// leaseLost takes note that the lease is gone, and all records with it. Many
// may have lost theirs in the same moment, thus the jitter.
func (s *supervisor) leaseLost(err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = 0
	s.due = now.Add(between(0, time.Second))
	for _, r := range s.registrations {
		r.forgottenLocked(err, now)
	}
	s.changed.tell()
}

// age measures by both clocks: the monotonic one stands still while the
// machine is suspended.
func age(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}

// leaseName writes a lease as etcd's own tools do.
func leaseName(id clientv3.LeaseID) string { return fmt.Sprintf("%016x", int64(id)) }
