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

// dial connects as gRPC does by itself, save that the address policy of the
// mesh is asked about what the address of an instance has become by then.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	// The system's own keep-alive times: what is faster is for gRPC to say.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}}
	to := credentials.ClientHandshakeInfoFromContext(ctx).Attributes
	if p, ok := to.Value(policedKey{}).(policed); ok {
		d.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
			return p.mesh.CheckSocket(p.service, network, address)
		}
	}
	network, addr := networkOf(addr)
	return d.DialContext(ctx, network, addr)
}

// networkOf tells the unix sockets among the addresses that gRPC gives a
// dialer: unix://path, unix:path, and an abstract one with its zero byte.
func networkOf(addr string) (network, address string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", strings.TrimPrefix(path, "//")
	}
	if strings.HasPrefix(addr, "\x00") {
		return "unix", addr
	}
	return "tcp", addr
}
