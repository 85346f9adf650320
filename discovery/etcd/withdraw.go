package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// close withdraws everything, in the order that leaves no way back: accept
// nothing more, stop what announces and wait for it, only then revoke the
// lease. That deletes all that is ours, at once, and nothing that somebody
// else took over; what a put that is still on its way would announce, it makes
// impossible. The error says what is left to the expiry of the lease.
func (s *supervisor) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for _, h := range s.holdings {
		h.closing = true
		h.changed.tell()
	}
	s.mu.Unlock()

	s.stop()
	s.running.Wait()

	err := s.revoke(ctx)
	s.conn.close()
	s.mu.Lock()
	s.left = err
	s.lease = 0
	all := slices.Collect(maps.Values(s.holdings))
	s.mu.Unlock()
	s.withdrawn(all...)
	if err != nil {
		s.log.Warn("instances are left to the expiry of their lease", "error", err)
	}
	return err
}

func (s *supervisor) revoke(ctx context.Context) error {
	if s.lease == 0 {
		return nil
	}
	var err error
	for range 3 {
		err = s.conn.do(ctx, 0, func(ctx context.Context, client *clientv3.Client) error {
			// However slow etcd is: a process that ends does not wait for it.
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			_, err := client.Revoke(ctx, s.lease)
			return err
		})
		if err == nil || errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		sleep(ctx, 250*time.Millisecond)
	}
	return fmt.Errorf("discovery/etcd: lease %s not revoked, it expires within %s: %w", leaseName(s.lease), s.ttl, err)
}
