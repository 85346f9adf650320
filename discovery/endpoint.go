package discovery

import (
	"net/netip"
	"path"
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
	Addr     string   `json:"addr"` // "10.0.0.7:8080", "[2001:db8::7]:8080" or "unix:/run/orders.sock"
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

// validateAddr accepts what can be dialled as it stands from any host: a
// literal address, no name that somebody else resolves, no zone that means
// another interface elsewhere.
func validateAddr(field, addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() || ap.Addr().Zone() != "" {
		return &FieldError{Field: field, Value: addr, Allowed: "ip:port with a literal IP address, neither unspecified nor multicast nor with a zone, and a port from 1 to 65535"}
	}
	return nil
}

func validateUnix(field, socket string) error {
	// 107 bytes is what sun_path holds on Linux with its closing zero. Package
	// path, not filepath: a record means the same to a reader on any system.
	if !path.IsAbs(socket) || path.Clean(socket) != socket || len(socket) > 107 || !validText(socket) {
		return &FieldError{Field: field, Value: "unix:" + socket, Allowed: "unix: and a clean absolute path of at most 107 bytes of visible ASCII and spaces"}
	}
	return nil
}
