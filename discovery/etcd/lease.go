package etcd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-go/fairlead/discovery"
)

// grant obtains a lease.
func (s *supervisor) grant(ctx context.Context) {
	var lease *clientv3.LeaseGrantResponse
	err := s.conn.do(ctx, 0, func(ctx context.Context, client *clientv3.Client) (err error) {
		lease, err = client.Grant(ctx, int64(math.Ceil(s.ttl.Seconds())))
		return err
	})
	if err != nil {
		s.leaseFailed(err)
		return
	}
	s.leaseConfirmed(lease.ID)
	err = s.conn.do(ctx, 0, func(ctx context.Context, client *clientv3.Client) error {
		return beginHistory(ctx, client, s.keys.epoch())
	})
	if err != nil {
		// The next grant, here or elsewhere, makes up for it. Until then lists
		// are read anew more often than need be.
		s.log.Debug("epoch not written", "error", err)
	}
}

// heartbeat renews the lease. Each call has a deadline because etcd's client
// would try for ever. It is not the client's own stream of renewals, which
// ends without saying why, or not at all.
func (s *supervisor) heartbeat(ctx context.Context) {
	err := s.conn.do(ctx, s.ttl/6, func(ctx context.Context, client *clientv3.Client) error {
		_, err := client.KeepAliveOnce(ctx, s.lease) // run alone writes s.lease
		return err
	})
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
		for _, h := range s.holdings {
			h.due = time.Time{} // the value may have gone meanwhile
		}
	}
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
	if errors.Is(err, discovery.ErrUnauthorized) {
		s.due = now.Add(between(forbiddenPause, forbiddenPause*6/5))
	}
	if s.expiredLocked() {
		s.doubtLocked(fmt.Errorf("%w: %w", errSilent(age(s.beat, now)), err), now)
	}
}

// expiredLocked reports whether etcd must have let the lease expire, unless it
// was away itself. It does not wait for a call that may hang just now.
func (s *supervisor) expiredLocked() bool { return s.lease != 0 && age(s.beat, time.Now()) > s.ttl }

func errSilent(d time.Duration) error { return fmt.Errorf("no heartbeat for %s", d.Round(time.Second)) }

// leaseLost takes note that the lease is gone, and all values with it. Many
// may have lost theirs in the same moment, thus the jitter.
func (s *supervisor) leaseLost(err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = 0
	s.due = now.Add(between(0, time.Second))
	for _, h := range s.holdings {
		h.lostLocked(err, now)
		h.seen = 0
		s.changedLocked(h)
	}
}

// doubtLocked takes note that nobody can be said to see what is held.
func (s *supervisor) doubtLocked(why error, now time.Time) {
	for _, h := range s.holdings {
		h.heldLocked(false, now)
		h.trouble = why
		s.changedLocked(h)
	}
}

// age measures by both clocks: the monotonic one stands still while the
// machine is suspended.
func age(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}

// leaseName writes a lease as etcd's own tools do.
func leaseName(id clientv3.LeaseID) string { return fmt.Sprintf("%016x", int64(id)) }
