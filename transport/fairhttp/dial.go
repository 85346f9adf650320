package fairhttp

import (
	"cmp"
	"context"
	"net"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// dialFunc is the form of [net/http.Transport].DialContext.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// defaultDialer is that of [net/http.DefaultTransport]. It stands here because
// a function cannot be asked to check an address before it connects.
func defaultDialer() net.Dialer {
	return net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
}

// dial connects to an instance, if the address policy of the mesh allows what
// the address has become by then.
func (s *service) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if own := s.transport.model.DialContext; own != nil {
		return s.checked(own)(ctx, network, addr)
	}
	c := connect(ctx, cmp.Or(s.transport.config.ConnectTimeout, defaultConnectTimeout))
	defer c.end()
	d := s.transport.dialer
	d.ControlContext = func(_ context.Context, network, address string, socket syscall.RawConn) error {
		c.socket.Store(&socket)
		return s.transport.mesh.CheckSocket(s.name, network, address)
	}
	conn, err := d.DialContext(c.ctx, network, addr)
	if err != nil && context.Cause(c.ctx) == errUnanswered {
		err = &net.OpError{Op: "dial", Net: network, Err: errUnanswered}
	}
	return conn, err
}

// checked is dial with the address that it connected to checked by the mesh.
func (s *service) checked(dial dialFunc) dialFunc {
	return checkedBy(dial, func(network, address string) error {
		return s.transport.mesh.CheckSocket(s.name, network, address)
	})
}

// checkedBy is dial with the address that it connected to checked before anybody
// writes to it.
func checkedBy(dial dialFunc, check balancer.SocketCheck) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil || conn == nil || conn.RemoteAddr() == nil {
			return conn, err
		}
		remote := conn.RemoteAddr()
		if err := check(remote.Network(), remote.String()); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}
