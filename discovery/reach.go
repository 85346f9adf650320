package discovery

import (
	"fmt"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// BootID returns the kernel's id of this boot, or "" where there is none
// (outside Linux). Two processes with the same id run under the same kernel,
// so that one can open the other's unix socket.
var BootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// Reach says how this process may reach instances. The zero value calls literal
// IP addresses that are not special in any way; see [Reach.Allows].
type Reach struct {
	// UnixDir allows unix endpoints whose socket lies below it, for instances
	// of this very boot of this host. They are then preferred. Empty: none.
	UnixDir string
	// Hostnames allows host names beside literal IP addresses. What a name
	// resolves to is held to the same rules when a socket connects to it.
	Hostnames bool
	// Loopback allows the addresses of this host itself. In a record that was
	// written elsewhere they lead to whatever happens to listen here. A mesh
	// sets it by itself where the registry says that it is local, unless there
	// are Networks.
	Loopback bool
	// Networks are the only ones with instances, such as 10.0.0.0/8. Empty:
	// all, but for the special ones.
	Networks []netip.Prefix
}

// Validate reports a bad field as a [*FieldError].
func (r Reach) Validate() error {
	if r.UnixDir != "" && (!path.IsAbs(r.UnixDir) || path.Clean(r.UnixDir) != r.UnixDir) {
		return &FieldError{Field: "Reach.UnixDir", Value: r.UnixDir, Allowed: "empty or a clean absolute path"}
	}
	for i, n := range r.Networks {
		if !n.IsValid() || n != n.Masked() || n.Addr().Is4In6() {
			return &FieldError{Field: fmt.Sprintf("Reach.Networks[%d]", i), Value: n.String(),
				Allowed: "an IP network whose bits beyond the prefix are zero, such as 10.0.0.0/8 or 2001:db8::/32, IPv4 not within IPv6"}
		}
	}
	return nil
}

// Passed are the endpoints of an instance that were passed over.
type Passed struct {
	// Ignored counts unix endpoints that are not allowed here.
	Ignored int
	// Forbidden are those whose address is not.
	Forbidden []*ForbiddenError
}

// Endpoints returns, for each protocol that instance i speaks, the endpoint at
// which this process may call it, if there is one. That of an instance which
// names no endpoints has no protocol: it speaks whatever its caller speaks.
// Usable may be the instance's own list and must not be written to.
func (r Reach) Endpoints(i *Instance) (usable []Endpoint, passed Passed) {
	endpoints := i.Endpoints
	if len(endpoints) == 0 {
		endpoints = []Endpoint{{Addr: i.Addr}}
	}
	for n, e := range endpoints {
		socket, unix := e.Unix()
		known := slices.IndexFunc(usable, func(u Endpoint) bool { return u.Protocol == e.Protocol })
		switch {
		case unix && !r.allowsUnix(socket, i.BootID):
			passed.Ignored++
			continue
		case !unix:
			if why := r.refusesEndpoint(e.Addr); why != "" {
				passed.Forbidden = append(passed.Forbidden, &ForbiddenError{Addr: e.Addr, Reason: why})
				continue
			}
		}
		switch {
		case known >= 0 && unix && !isUnix(usable[known]): // sockets come first
			usable = slices.Clone(usable)
			usable[known] = e
		case known >= 0:
		case len(usable) == n: // all so far: no need for a list of its own
			usable = endpoints[: n+1 : n+1]
		default:
			usable = append(usable, e)
		}
	}
	return usable, passed
}

func (r Reach) allowsUnix(socket, bootID string) bool {
	return r.UnixDir != "" && bootID != "" && bootID == BootID() &&
		path.Clean(socket) == socket && strings.HasPrefix(socket, strings.TrimSuffix(r.UnixDir, "/")+"/")
}
