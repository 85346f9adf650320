package balancer

import (
	"context"
	"fmt"
	"net"

	"github.com/fairlead-go/fairlead/discovery"
)

// TCPProber probes by a connection that is made and closed again, over TCP or a
// unix socket, whichever the instance is called by. It shows that somebody
// listens, which is less than that they answer. The zero value is good.
type TCPProber struct {
	// Protocol is that of the endpoint to connect to. Empty: the first that the
	// instance names.
	Protocol discovery.Protocol
	// Dialer makes the connections.
	Dialer net.Dialer
}

// Probe implements [Prober].
func (p TCPProber) Probe(ctx context.Context, n *Node) error {
	addr := n.Endpoint(p.Protocol)
	if p.Protocol == whatever && len(n.endpoints) > 0 {
		addr = n.endpoints[0].Addr
	}
	if addr == "" {
		return fmt.Errorf("%w: no endpoint for %q that may be called", ErrUnprobed, p.Protocol)
	}
	conn, err := DialEndpoint(ctx, p.Dialer, addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
