package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
)

// Ready reports whether this process does for others what it should, for the
// readiness probe of a platform: nil when an instance of each of these services
// is registered through the mesh, and all that are registered are proved to be
// so. An orchestrator that waits for it stops a rollout whose new instances
// cannot register. It stays nil while the registry cannot be heard, once the
// instance was registered: to withdraw a whole fleet because etcd is down would
// be the greater harm. It must not be part of [ServeConfig].Ready, which would
// wait for itself.
func (m *Mesh) Ready(services ...string) error {
	states := m.registered()
	var errs []error
	for _, s := range states {
		services = slices.DeleteFunc(slices.Clone(services), func(service string) bool { return service == s.Service })
		if !s.Registered && !(s.Announced && s.Unreachable) {
			errs = append(errs, fmt.Errorf("instance %s of %s is not registered: %s", s.ID, s.Service, s.Reason))
		}
	}
	for _, service := range services {
		errs = append(errs, fmt.Errorf("no instance of %s is announced", service))
	}
	return errors.Join(errs...)
}

// TCPCheck returns a check, for [ServeConfig].Ready, that somebody accepts
// connections at host:port.
func TCPCheck(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// AllReady returns a check that all of these hold. They are made at the same
// time; each has to end with its context.
func AllReady(checks ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		errs := make([]error, len(checks))
		var all sync.WaitGroup
		for n, check := range checks {
			all.Go(func() { errs[n] = check(ctx) })
		}
		all.Wait()
		return errors.Join(errs...)
	}
}
