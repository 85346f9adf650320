package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// close withdraws everything, in the order that leaves no way back: accept
// nothing more, stop what announces and wait for it, only then delete and
// revoke. The error says what is left to the expiry of the lease.
func (s *supervisor) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.registrations {
		r.closing = true
	}
	s.changed.tell()
	s.mu.Unlock()

	s.stop()
	<-s.done

	err := s.withdrawAll(ctx)
	s.conn.close()
	s.mu.Lock()
	s.left = err
	all := slices.Collect(maps.Values(s.registrations))
	s.mu.Unlock()
	for _, r := range all {
		s.withdrawn(r)
	}
	if err != nil {
		s.log.Warn("instances are left to the expiry of their lease", "lease", leaseName(s.lease), "error", err)
	}
	return err
}

// withdrawAll deletes all records and revokes the lease, which takes with it
// what could not be deleted, and what a put that is still on its way would
// announce.
func (s *supervisor) withdrawAll(ctx context.Context) error {
	if s.lease == 0 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(s.registrations)) {
		client, err := s.conn.open(ctx)
		if err == nil {
			err = s.conn.report((own{key: key, lease: s.lease}).remove(ctx, client))
		}
		if err != nil {
			break
		}
	}
	var err error
	for range 3 {
		if err = s.revoke(ctx); err == nil || ctx.Err() != nil {
			break
		}
		sleep(ctx, 250*time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("discovery/etcd: lease %s not revoked, it expires within %s: %w", leaseName(s.lease), s.ttl, err)
	}
	return nil
}

func (s *supervisor) revoke(ctx context.Context) error {
	client, err := s.conn.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = client.Revoke(ctx, s.lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return s.conn.report(err)
}
