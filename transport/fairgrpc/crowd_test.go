package fairgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"google.golang.org/grpc/peer"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
)

// crowd is a service of any number of instances behind one socket. All addresses
// of 127.0.0.0/8 are the own machine on Linux, and a listener on every address
// sees which was called. Its instances are called i00000 and so on, and answer
// with that.
type crowd struct {
	*backend
	port int

	mu  sync.Mutex
	ids map[string]string // by IP address
}

func newCrowd(tb testing.TB) *crowd {
	if runtime.GOOS != "linux" {
		tb.Skip("only one address of 127.0.0.0/8 is this machine's")
	}
	c := &crowd{backend: start(tb, "crowd"), ids: map[string]string{}}
	c.kill()
	c.listen(tb, "0.0.0.0:0")
	c.port = int(netip.MustParseAddrPort(c.addr).Port())
	c.unary = func(ctx context.Context, _, _ string) (string, error) {
		p, _ := peer.FromContext(ctx)
		return c.at(p.LocalAddr), nil
	}
	return c
}

func (c *crowd) at(addr net.Addr) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[addr.(*net.TCPAddr).IP.String()]
}

// instance returns the one of a number, of version v1.
func (c *crowd) instance(n int) discovery.Instance {
	ip := netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)})
	i := discovery.Instance{ID: fmt.Sprintf("i%05d", n), Service: "orders", Addr: netip.AddrPortFrom(ip, uint16(c.port)).String(), Version: "v1"}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[ip.String()] = i.ID
	return i
}

// connected returns the IDs of all instances that were ever connected to.
func (c *crowd) connected() map[string]bool {
	c.backend.mu.Lock()
	l := c.listener
	c.backend.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := map[string]bool{}
	for _, conn := range l.conns {
		ids[c.at(conn.LocalAddr())] = true
	}
	return ids
}

// populate announces instances, all of them in one list.
func (w *world) populate(instances ...discovery.Instance) {
	w.tb.Helper()
	w.registry.Fail(errors.New("not everybody is there yet"))
	for _, i := range instances {
		w.register(i)
	}
	w.registry.Heal()
}

// many returns instances 0 to n-1 of a crowd.
func (c *crowd) many(n int) (all []discovery.Instance) {
	for i := range n {
		all = append(all, c.instance(i))
	}
	return all
}

// connections returns what the mesh says of those to orders.
func (w *world) connections() transport.Connections {
	for _, s := range w.mesh.Dump().Services {
		if s.Service == "orders" && s.Connections != nil {
			return *s.Connections
		}
	}
	return transport.Connections{}
}

// called returns who calls over gRPC may go to now.
func (w *world) called() (ids []string) {
	w.tb.Helper()
	called, err := w.mesh.Called(within(w.tb), "orders", discovery.GRPC)
	if err != nil {
		w.tb.Fatal(err)
	}
	for nodes := range called {
		for _, n := range nodes {
			ids = append(ids, n.ID())
		}
		return ids
	}
	w.tb.Fatal("there is no list")
	return nil
}

// knows waits until the mesh knows a list of n instances of orders.
func (w *world) knows(n int) {
	w.tb.Helper()
	eventually(w.tb, fmt.Sprintf("the mesh knows %d instances", n), func() bool { return len(w.mesh.Dump().Services[0].Instances) == n })
}

// hundred is the default, which a number of instances above it makes a subset.
func hundred(seed string) transport.Option {
	return transport.WithBalancing(balancer.Balancing{
		Policy: balancer.Random{}, OutlierDetection: balancer.OutlierDetection{Off: true}, Subset: balancer.Subset{Seed: seed},
	})
}
