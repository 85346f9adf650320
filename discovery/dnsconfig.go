package discovery

import (
	"cmp"
	"log/slog"
	"net"
	"strings"
	"time"
)

// servicePlace is where DNSConfig.Name has the name of the service.
const servicePlace = "{service}"

// shortestInterval is the least that may lie between two looks of a registry
// that polls.
const shortestInterval = 10 * time.Millisecond

// DNSConfig says how a service is found in DNS. The zero value reads the SRV
// records at the very name of the service, with the resolver of the host.
type DNSConfig struct {
	// Name is the DNS name of a service, with "{service}" in place of the
	// service's own name:
	//
	//	{service}.prod.svc.cluster.local.              a headless service in Kubernetes
	//	_http._tcp.{service}.prod.svc.cluster.local.   its port http, as SRV records
	//	_{service}._tcp.example.com.                   RFC 2782
	//	{service}.service.consul.                      Consul
	//
	// A closing dot keeps the resolver from trying the search domains of the
	// host as well. Empty means "{service}".
	Name string
	// Port is the port of every instance: the name then has A and AAAA
	// records. Zero means that it has SRV records, which tell ports, weights
	// and the names of hosts, whose A and AAAA records are read in turn.
	Port uint16
	// Network is "ip4" or "ip6" to read only A or only AAAA records. Empty or
	// "ip" means both; a host with an address of each kind is then two
	// instances, and a list that lacks one kind for want of an answer is not
	// taken for the whole.
	Network string
	// Resolver is asked. Nil means net.DefaultResolver.
	Resolver *net.Resolver
	// Interval is how often to ask, at least 10 ms; each time it is made up to
	// a fifth shorter, so that processes that began together do not ask
	// together. The standard library tells nothing of the records' time to
	// live. Zero means 30 s. While DNS fails, it is asked from a second after
	// the first failure on, in doubling intervals up to this one.
	Interval time.Duration
	// Logger is told of trouble and its end, once a second at most. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// Open returns a new [DNS] for these settings; the caller closes it. It is
// [NewDNS] for those who open registries of several kinds.
func (c DNSConfig) Open() (Registry, error) {
	d, err := NewDNS(c)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Validate reports the first bad field as a [*FieldError].
func (c DNSConfig) Validate() error {
	if c.Name != "" && !validPattern(c.Name) {
		return &FieldError{Field: "DNSConfig.Name", Value: c.Name, Allowed: "empty, or a lower-case DNS name with " + servicePlace + " in it once; labels may have underscores, and the last dot may be there"}
	}
	if c.Network != "" && c.Network != "ip" && c.Network != "ip4" && c.Network != "ip6" {
		return &FieldError{Field: "DNSConfig.Network", Value: c.Network, Allowed: `empty, "ip", "ip4" or "ip6"`}
	}
	return validateInterval("DNSConfig.Interval", c.Interval, 30*time.Second)
}

func validateInterval(field string, interval, standard time.Duration) error {
	if interval != 0 && interval < shortestInterval {
		return &FieldError{Field: field, Value: interval, Allowed: "0 (meaning " + standard.String() + ") or at least " + shortestInterval.String()}
	}
	return nil
}

// validPattern reports whether p makes a DNS name of some service's name.
func validPattern(p string) bool {
	return strings.Count(p, servicePlace) == 1 && validDNSName(strings.Replace(p, servicePlace, "a", 1))
}

// validDNSName allows what the name of a service may not have.
func validDNSName(name string) bool {
	return validName(strings.ReplaceAll(strings.TrimSuffix(name, "."), "_", "x"))
}

// normalize fills in the defaults.
func (c DNSConfig) normalize() DNSConfig {
	c.Name = cmp.Or(c.Name, servicePlace)
	c.Network = cmp.Or(c.Network, "ip")
	c.Resolver = cmp.Or(c.Resolver, net.DefaultResolver)
	c.Interval = cmp.Or(c.Interval, 30*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// name is the DNS name of service. The error is a [*FieldError]: what is good
// as the name of a service may be too long for the name in DNS.
func (c DNSConfig) name(service string) (string, error) {
	if err := ValidateService(service); err != nil {
		return "", err
	}
	name := strings.Replace(c.Name, servicePlace, service, 1)
	if !validDNSName(name) {
		return "", &FieldError{Field: "service", Value: service, Allowed: "a name with which " + c.Name + " is a DNS name"}
	}
	return name, nil
}
