package fairgrpc

import (
	"context"
	"net"
	"strings"
	"syscall"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/credentials"

	"github.com/fairlead-go/fairlead/transport"
)

// policed marks the addresses of instances, for the dialer: gRPC gives it
// their attributes and nothing else of the target. It is the same for all
// resolvers that a channel has in its life, so that connections stay.
type policed struct {
	mesh    *transport.Mesh
	service string
}

type policedKey struct{}

func (b *bound) policed() *attributes.Attributes {
	return attributes.New(policedKey{}, policed{b.door.mesh, b.service})
}

// systemDialer leaves keep-alive times to the system: what is faster is for gRPC
// to say.
func systemDialer() net.Dialer {
	return net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}}
}

// dial connects as gRPC does by itself, save that the address policy of the
// mesh is asked about what the address of an instance has become by then.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	d := systemDialer()
	to := credentials.ClientHandshakeInfoFromContext(ctx).Attributes
	if p, ok := to.Value(policedKey{}).(policed); ok {
		d.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
			return p.mesh.CheckSocket(p.service, network, address)
		}
	}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok { // also unix:///path and unix:@abstract
		return d.DialContext(ctx, "unix", strings.TrimPrefix(path, "//"))
	}
	return d.DialContext(ctx, "tcp", addr)
}
