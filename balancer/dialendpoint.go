package balancer

import (
	"context"
	"net"
	"strings"
	"syscall"
)

// SocketCheck is asked about a socket to an instance, with the network and the
// address that a [net.Dialer] hands to its ControlContext before it connects, or
// those of a connection's RemoteAddr before anything is written to it. With an
// error the connection is not made, or not used.
type SocketCheck func(network, address string) error

type socketCheckKey struct{}

// WithSocketCheck returns a context for probes whose sockets are to be checked:
// a host name may have become any address by the time it is dialled. It is a
// matter of the context, so that no prober around another can lose it.
func WithSocketCheck(ctx context.Context, check SocketCheck) context.Context {
	return context.WithValue(ctx, socketCheckKey{}, check)
}

// CheckSocket asks the check of a context, if it has one. It is for probers that
// do not dial by [DialEndpoint].
func CheckSocket(ctx context.Context, network, address string) error {
	if check, ok := ctx.Value(socketCheckKey{}).(SocketCheck); ok {
		return check(network, address)
	}
	return nil
}

// DialEndpoint connects, for a prober, to an address in the form of
// [discovery.Endpoint].Addr. The check of ctx comes before that of the dialer.
func DialEndpoint(ctx context.Context, d net.Dialer, addr string) (net.Conn, error) {
	plain, own := d.Control, d.ControlContext
	d.ControlContext = func(inner context.Context, network, address string, c syscall.RawConn) error {
		if err := CheckSocket(ctx, network, address); err != nil {
			return err
		}
		switch {
		case own != nil:
			return own(inner, network, address, c)
		case plain != nil:
			return plain(network, address, c)
		default:
			return nil
		}
	}
	if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
		return d.DialContext(ctx, "unix", socket)
	}
	return d.DialContext(ctx, "tcp", addr)
}
