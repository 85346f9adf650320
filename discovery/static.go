package discovery

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"time"
)

// Static is a [Registry] whose instances never change. A service that is not
// on its list is known to have none. The zero value lists nothing.
type Static struct {
	services map[string]*feed // published to once, by NewStatic
}

// NewStatic returns a registry of these instances. Each is normalized as
// [Instance.Normalize] does, with two differences that keep the list the same
// in every process and after every restart: an empty ID is taken from the
// address as in [Addrs], and an unknown start time stays unknown.
//
// The error says which instance is bad and wraps a [*FieldError].
func NewStatic(instances ...Instance) (*Static, error) {
	listed := map[string][]Instance{}
	for n, given := range instances {
		i := given.Normalize(given.StartedAt)
		if given.ID == "" {
			i.ID = addrID(i.Addr)
		}
		if err := i.Validate(); err != nil {
			return nil, fmt.Errorf("instance %d: %w", n, err)
		}
		listed[i.Service] = append(listed[i.Service], i)
	}
	s := &Static{services: make(map[string]*feed, len(listed))}
	for service, instances := range listed {
		instances := List(instances...)
		for n := 1; n < len(instances); n++ {
			if id := instances[n].ID; id == instances[n-1].ID {
				return nil, &FieldError{Field: "Instance.ID", Value: id, Allowed: "an ID that no other instance of " + service + " has"}
			}
		}
		s.services[service] = fixed(service, instances)
	}
	return s, nil
}

// Watch implements [Registry]. It yields once; the sequence then goes on, in
// silence, until ctx is done.
func (s *Static) Watch(ctx context.Context, service string) iter.Seq2[Snapshot, error] {
	if err := ValidateService(service); err != nil {
		return refuse(service, err)
	}
	f := s.services[service]
	if f == nil {
		f = fixed(service, nil)
	}
	return f.watch(ctx)
}

// Local reports true: the list was given in code.
func (s *Static) Local() bool { return true }

func fixed(service string, instances []*Instance) *feed {
	f := new(feed)
	f.publish(Snapshot{Service: service, Revision: 1, State: Live, AsOf: time.Now(), Instances: instances}, nil)
	return f
}

// Addrs returns an instance of service for each host:port. Its ID is the address
// without brackets, so that the same address is the same instance in every
// process. Whoever is given the instances checks them: [NewStatic] and
// [Registrar].Register do.
func Addrs(service string, addrs ...string) []Instance {
	instances := make([]Instance, len(addrs))
	for n, addr := range addrs {
		instances[n] = Instance{ID: addrID(addr), Service: service, Addr: addr}
	}
	return instances
}

// addrID maps different addresses to different IDs, and different spellings of
// one address to the same.
func addrID(addr string) string {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		addr = ap.String()
	}
	return strings.NewReplacer("[", "", "]", "").Replace(addr)
}
