package discovery

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lookupTimeout bounds each single lookup: a resolver would go through all
	// its servers and attempts for much longer.
	lookupTimeout = 5 * time.Second
	// lookupsAtOnce bounds how many hosts of SRV records are looked up at a
	// time.
	lookupsAtOnce = 8
)

// lookup reads the instances of one service from DNS.
type lookup struct {
	service  string
	name     string // in DNS
	port     uint16 // 0: as SRV records say
	network  string
	resolver resolver
}

// errNoAddress is why the record of a host that DNS does not know is skipped.
var errNoAddress = errors.New("the host has no address")

// look implements the [look] of a [DNS].
func (l *lookup) look(ctx context.Context) (listing, error) {
	read := l.records
	if l.port != 0 {
		read = l.addresses
	}
	found, err := read(ctx)
	found.instances = distinct(found.instances)
	return found, err
}

// addresses reads the A and AAAA records.
func (l *lookup) addresses(ctx context.Context) (found listing, err error) {
	addrs, err := l.addrs(ctx, l.name)
	l.add(&found, l.name, addrs, l.port, DefaultWeight)
	return found, err
}

// records reads the SRV records and the addresses of their hosts.
func (l *lookup) records(ctx context.Context) (listing, error) {
	var found listing
	records, err := l.srv(ctx)
	switch {
	case err == nil || notFound(err):
	case len(records) == 0:
		return listing{}, err
	default: // some have hosts whose names are none; net hands out the others
		found.refuse(l.name, err)
	}
	records = preferred(records)
	addrs, err := l.hosts(ctx, records)
	if err != nil {
		return listing{}, err
	}
	most := heaviest(records)
	for n, r := range records {
		if len(addrs[n]) == 0 {
			found.refuse(r.Target, errNoAddress)
		}
		l.add(&found, r.Target, addrs[n], r.Port, weight(r.Weight, most))
	}
	return found, nil
}

func (l *lookup) srv(ctx context.Context) ([]*net.SRV, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, records, err := l.resolver.LookupSRV(ctx, "", "", l.name)
	return records, err
}

// hosts looks up the hosts of records. After the first failure it gives up the
// others. It waits for all its goroutines.
func (l *lookup) hosts(ctx context.Context, records []*net.SRV) ([][]netip.Addr, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	addrs := make([][]netip.Addr, len(records))
	slots := make(chan struct{}, lookupsAtOnce)
	var running sync.WaitGroup
	for n, r := range records {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			var err error
			if addrs[n], err = l.addrs(ctx, r.Target); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return addrs, context.Cause(ctx)
}

// addrs looks up the addresses of host, which may be none. Both kinds are asked
// for by themselves, because net takes the answer to one for enough if the
// other fails.
func (l *lookup) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	networks := []string{l.network}
	if l.network == "ip" {
		networks = []string{"ip4", "ip6"}
	}
	var all []netip.Addr
	for _, network := range networks {
		some, err := l.addrsOf(ctx, network, host)
		if err != nil && !notFound(err) {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, netip.Addr.Compare) // servers rotate them
	return all, nil
}

func (l *lookup) addrsOf(ctx context.Context, network, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return l.resolver.LookupNetIP(ctx, network, host)
}

// add adds an instance for each address of host.
func (l *lookup) add(found *listing, host string, addrs []netip.Addr, port uint16, weight int) {
	for _, a := range addrs {
		addr := netip.AddrPortFrom(a.Unmap(), port).String()
		i := &Instance{ID: addrID(addr), Service: l.service, Addr: addr, Weight: weight}
		if err := i.Validate(); err != nil {
			found.refuse(host, err)
			continue
		}
		found.instances = append(found.instances, i)
	}
}

// distinct leaves the heaviest of the instances with one address.
func distinct(instances []*Instance) []*Instance {
	slices.SortFunc(instances, func(a, b *Instance) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(b.Weight, a.Weight))
	})
	return slices.CompactFunc(instances, func(a, b *Instance) bool { return a.ID == b.ID })
}

// preferred returns the records of the lowest priority. A target of "." says
// that the service is decidedly not available at this domain (RFC 2782).
func preferred(records []*net.SRV) []*net.SRV {
	var best []*net.SRV
	for _, r := range records {
		switch {
		case len(best) == 0 || r.Priority < best[0].Priority:
			best = []*net.SRV{r}
		case r.Priority == best[0].Priority:
			best = append(best, r)
		}
	}
	best = slices.DeleteFunc(best, func(r *net.SRV) bool { return r.Target == "." })
	// net shuffles them; what is refused should read the same each time.
	slices.SortFunc(best, func(a, b *net.SRV) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port))
	})
	return best
}

func heaviest(records []*net.SRV) uint16 {
	most := uint16(0)
	for _, r := range records {
		most = max(most, r.Weight)
	}
	return most
}

// weight maps the weight of an SRV record, of which the heaviest has most, to
// that of an instance.
func weight(w, most uint16) int {
	if most <= MaxWeight {
		return max(1, int(w))
	}
	return max(1, int(w)*MaxWeight/int(most))
}

// notFound tells an answer from a failure. Package net has errors of two kinds
// for a name without addresses of the kind asked for.
func notFound(err error) bool {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.IsNotFound
	}
	_, unsuitable := errors.AsType[*net.AddrError](err)
	return unsuitable
}
