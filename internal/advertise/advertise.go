// Package advertise finds the address under which others reach a listener of
// this process.
package advertise

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
)

// Addr returns what to announce for l, in the form of discovery.Endpoint:
// "ip:port", or "unix:/path" for a unix socket. Where l listens on every
// address of the host, it is the first global one, IPv4 before IPv6, of an
// interface that is up, else loopback: which of several networks callers live
// in cannot be known here, and a server that knows listens on it or names its
// endpoints itself.
func Addr(l net.Listener) (string, error) {
	switch addr := l.Addr().(type) {
	case *net.UnixAddr:
		path, err := filepath.Abs(addr.Name)
		if err != nil || addr.Name == "" || addr.Name[0] == '@' {
			return "", fmt.Errorf("cannot announce the unix socket %q: it has no path that others could open", addr.Name)
		}
		return "unix:" + path, nil
	case *net.TCPAddr:
		bound := addr.AddrPort()
		if !bound.Addr().IsUnspecified() {
			return netip.AddrPortFrom(bound.Addr().Unmap().WithZone(""), bound.Port()).String(), nil
		}
		own, err := hostAddrs()
		if err != nil {
			return "", fmt.Errorf("cannot announce %s: %w", addr, err)
		}
		return netip.AddrPortFrom(choose(bound.Addr(), own), bound.Port()).String(), nil
	default:
		return "", fmt.Errorf("cannot announce a listener at %s address %q: only TCP and unix sockets can be", addr.Network(), addr)
	}
}

// choose picks the address among own that a listener at the unspecified
// address any is best announced with.
func choose(any netip.Addr, own []netip.Addr) netip.Addr {
	best := netip.IPv6Loopback()
	if any.Is4() {
		best = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	for _, a := range own {
		switch a = a.Unmap(); {
		case !a.IsGlobalUnicast():
		case a.Is4():
			return a
		case any.Is6() && best.IsLoopback():
			best = a
		}
	}
	return best
}

// hostAddrs returns the addresses of all interfaces that are up, in the
// kernel's order.
func hostAddrs() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				own = append(own, prefix.Addr())
			}
		}
	}
	return own, nil
}
