package discovery

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// Protocol names what is spoken at an [Endpoint].
type Protocol string

// The protocols that fairlead has a door for. A record may carry others; a
// door takes only the one it speaks.
const (
	HTTP Protocol = "http"
	GRPC Protocol = "grpc"
)

// Endpoint is one way to reach an instance. Whether TLS is spoken is decided
// by the caller's configuration, never by a record.
type Endpoint struct {
	Protocol Protocol `json:"protocol"`
	Addr     string   `json:"addr"` // "10.0.0.7:8080", "[2001:db8::7]:8080", "orders-7.example:8080" or "unix:/run/orders.sock"
}

// Unix returns the socket path of a unix endpoint.
func (e Endpoint) Unix() (path string, ok bool) { return strings.CutPrefix(e.Addr, "unix:") }

func (e Endpoint) validate(field string) error {
	if !validProtocol(e.Protocol) {
		return &FieldError{Field: field + ".Protocol", Value: string(e.Protocol), Allowed: "1 to 32 bytes of a-z, 0-9, + and -"}
	}
	if socket, ok := e.Unix(); ok {
		return validateUnix(field+".Addr", socket)
	}
	return validateAddr(field+".Addr", e.Addr)
}

func validProtocol(p Protocol) bool {
	if p == "" || len(p) > 32 {
		return false
	}
	for _, c := range []byte(p) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' {
			return false
		}
	}
	return true
}

// validateAddr accepts what means the same on every host: a literal address, or
// a name that nobody takes for an address. Whether it may be called is for
// [Reach] to say, where the call is made.
func validateAddr(field, addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil && isNamed(addr) {
		return nil
	}
	if err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() || ap.Addr().Zone() != "" {
		return &FieldError{Field: field, Value: addr, Allowed: addrRule}
	}
	return nil
}

const addrRule = "host:port with a port from 1 to 65535; the host is a literal IP address, neither unspecified nor multicast nor with a zone, or a lower-case DNS name whose last label is not a number"

// isNamed reports whether addr is the name of a host with a port. Old resolvers
// take 127.1, 0177.0.0.1, 2130706433 and 0x7f000001 for addresses: what ends in
// a number is no name (WHATWG URL, host parsing).
func isNamed(addr string) bool {
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		return false
	}
	host, port := addr[:colon], addr[colon+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return validName(host) && !isHex(last)
}

func isHex(label string) bool {
	digits, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(digits, "0123456789abcdef") == ""
}

func validateUnix(field, socket string) error {
	// 107 bytes is what sun_path holds on Linux with its closing zero. Package
	// path, not filepath: a record means the same to a reader on any system.
	if !path.IsAbs(socket) || path.Clean(socket) != socket || len(socket) > 107 || !validText(socket) {
		return &FieldError{Field: field, Value: "unix:" + socket, Allowed: "unix: and a clean absolute path of at most 107 bytes of visible ASCII and spaces"}
	}
	return nil
}
