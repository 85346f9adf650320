package discovery

import (
	"context"
	"iter"
	"net"
	"net/netip"
)

// DNS is a [Registry] over DNS: it reads the A and AAAA records of a service,
// or its SRV records, at an interval. DNS carries only addresses and, in SRV
// records, ports and weights. The ID of an instance is its address as in
// [Addrs], so that the same address is the same instance in every process.
//
// Of SRV records only those of the lowest priority are used; RFC 2782 has the
// others stand by for when all of these fail, which DNS does not tell. Each
// address of a record's host is an instance with the record's weight. Weight 0,
// "no server selection to do" and beside others the smallest chance, becomes 1.
// Where a weight is above [MaxWeight], all of the service are scaled down
// together.
//
// That there is no such name, or that it has no such records, is knowledge: the
// service has no instances. After any other failure the last good list stays,
// as Stale, with the error. It also stays if the addresses of one host cannot
// be had: a part is never taken for the whole.
//
// A DNS is safe for concurrent use. Nothing runs before the first Watch; from
// then on there is one goroutine per watched service.
type DNS struct {
	config DNSConfig // normalized
	poller *poller
}

// resolver is what a DNS needs of a [net.Resolver].
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NewDNS returns a registry that asks DNS. It does not wait for an answer. The
// error is a [*FieldError].
func NewDNS(config DNSConfig) (*DNS, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.normalize()
	return openDNS(config, config.Resolver), nil
}

func openDNS(config DNSConfig, r resolver) *DNS {
	d := &DNS{config: config}
	d.poller = newPoller(config.Interval, config.Logger, func(service string) look {
		name, _ := config.name(service) // Watch has looked at the error
		return (&lookup{service: service, name: name, port: config.Port, network: config.Network, resolver: r}).look
	})
	return d
}

// Watch implements [Registry]. All watches of a service share one goroutine
// and its lookups, which begin with the first of them and end with the last.
func (d *DNS) Watch(ctx context.Context, service string) iter.Seq2[Snapshot, error] {
	if _, err := d.config.name(service); err != nil {
		return refuse(service, err)
	}
	return d.poller.watch(ctx, service)
}

// Refresh makes the list of a watched service as fresh as can be: it asks at
// once, and returns when watchers have been given what that brought, if it is
// news. The error says why it brought nothing, or that ctx is done. It is for a
// process that slept and cannot know how long ago the last look was.
func (d *DNS) Refresh(ctx context.Context, service string) error {
	return d.poller.refresh(ctx, service)
}

// Close ends all watches with [ErrClosed] and waits, at most for ctx, until
// nothing runs any more. It can be called again.
func (d *DNS) Close(ctx context.Context) error { return d.poller.close(ctx) }

// State tells people and debug dumps what is known of each watched service.
// It marshals to JSON, which may grow.
func (d *DNS) State() any {
	return dnsState{Name: d.config.Name, Port: d.config.Port, Watches: d.poller.state()}
}

type dnsState struct {
	Name    string       `json:"name"`
	Port    uint16       `json:"port,omitempty"`
	Watches []watchState `json:"watches"`
}
