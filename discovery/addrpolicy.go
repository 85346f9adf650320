package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrForbidden is wrapped by every [ForbiddenError].
var ErrForbidden = errors.New("forbidden by the address policy")

// ForbiddenError says why a [Reach] does not let an address be called. It
// wraps [ErrForbidden]. Nothing was sent there.
type ForbiddenError struct {
	Addr   string // as it stood in the record, or as the socket had it
	Reason string // "link-local"
}

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("address %q is %v: %s", clip(e.Addr), ErrForbidden, e.Reason)
}

func (e *ForbiddenError) Unwrap() error { return ErrForbidden }

// Allows returns a [*ForbiddenError] if no connection may be made to addr. It
// is asked twice: about what a record says, and about what a socket is about to
// connect to, since a name may by then have become any address.
//
// Always refused are the addresses at which clouds hand out the credentials of
// a machine; unspecified, multicast and broadcast ones; those with a zone, which
// means another interface on every host; IPv6 link-local ones, which lead
// nowhere without a zone; and those that carry a refused IPv4 address into an
// IPv6 network (NAT64, RFC 6052; 6to4, RFC 3056; and their forerunners).
// Loopback needs Reach.Loopback. Loopback and IPv4 link-local addresses are
// also allowed by an entry of Reach.Networks that lies within their range, and
// so must mean them: 0.0.0.0/0 does not.
func (r Reach) Allows(addr netip.Addr) error {
	if why := r.refuses(addr); why != "" {
		return &ForbiddenError{Addr: addr.String(), Reason: why}
	}
	return nil
}

// CheckSocket is Allows for sockets. Network and address are those that a
// [net.Dialer] hands to its ControlContext before it connects, or those of a
// connection's RemoteAddr. Only TCP is judged: where a unix socket or a pipe
// in memory leads is decided by its name alone.
func (r Reach) CheckSocket(network, address string) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	if why := r.refusesLiteral(address); why != "" {
		return &ForbiddenError{Addr: address, Reason: why}
	}
	return nil
}

// refusesEndpoint says why an address in the form of Endpoint.Addr, which is no
// unix socket, is not allowed, "" if it is.
func (r Reach) refusesEndpoint(addr string) (why string) {
	switch {
	case !isNamed(addr):
		return r.refusesLiteral(addr)
	case !r.Hostnames:
		return "a host name, which Reach.Hostnames would allow"
	default:
		return "" // what it resolves to is for CheckSocket
	}
}

func (r Reach) refusesLiteral(addr string) (why string) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || ap.Port() == 0 {
		return "not a literal IP address with a port from 1 to 65535"
	}
	return r.refuses(ap.Addr())
}

func (r Reach) refuses(addr netip.Addr) (why string) {
	switch {
	case !addr.IsValid():
		return "not an address"
	case addr.Zone() != "":
		return "with a zone, which means another interface on another host"
	}
	addr = addr.Unmap() // ::ffff:a.b.c.d is a.b.c.d to a socket
	if s := specialOf(addr); s != nil {
		if s.loopback && r.Loopback || s.nameable && r.names(s.network, addr) {
			return ""
		}
		return s.why
	}
	if carried := carriedBy(addr); carried.IsValid() {
		// What it leads to is a translator's matter: not even loopback is
		// that of this host.
		if s := specialOf(carried); s != nil {
			return "carries " + carried.String() + ", " + s.why
		}
	}
	if len(r.Networks) > 0 && !within(r.Networks, addr) {
		return "in none of Reach.Networks"
	}
	return ""
}

// names reports whether an entry of Networks that has addr lies within network.
func (r Reach) names(network netip.Prefix, addr netip.Addr) bool {
	for _, n := range r.Networks {
		if n.Contains(addr) && network.Contains(n.Addr()) && n.Bits() >= network.Bits() {
			return true
		}
	}
	return false
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
