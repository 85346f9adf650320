package fairgrpc_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairgrpc"
)

// remote is a registry that does not say where what it tells comes from.
type remote struct{ discovery.Registry }

// meshOver returns a mesh over orders with one instance at each address.
func meshOver(t *testing.T, local bool, reach discovery.Reach, addrs ...string) *transport.Mesh {
	t.Helper()
	leakCheck(t)
	static, err := discovery.NewStatic(discovery.Addrs("orders", addrs...)...)
	if err != nil {
		t.Fatal(err)
	}
	var registry discovery.Registry = static
	if !local {
		registry = remote{static}
	}
	return newMesh(t, registry, transport.WithReach(reach))
}

// reached returns how many connections were made to a backend. They are
// accepted in the order they were made: once one of its own is, all earlier
// ones are counted.
func (b *backend) reached(t *testing.T) int {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // the server's settings
		t.Fatal(err)
	}
	return b.accepted() - 1
}

func (b *backend) port() string { return b.addr[strings.LastIndexByte(b.addr, ':')+1:] }

// A record that points at a server on loopback makes no channel connect there,
// be it by an address, by one in disguise, or by a name that becomes one.
func TestForbiddenAddressIsNeverConnectedTo(t *testing.T) {
	names := discovery.Reach{Hostnames: true}
	for _, row := range []struct {
		name   string
		local  bool // registry
		reach  discovery.Reach
		host   string
		socket bool // it is the socket that is refused, not the record
	}{
		{"address", false, discovery.Reach{}, "127.0.0.1", false},
		{"address mapped into IPv6", false, names, "[::ffff:127.0.0.1]", false},
		{"name", true, discovery.Reach{}, "localhost", false},
		{"allowed name", false, names, "localhost", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			secret := start(t, "secret")
			mesh := meshOver(t, row.local, row.reach, row.host+":"+secret.port())
			conn := dial(t, "mesh:///orders", fairgrpc.DialOptions(mesh)...)
			_, err := call(within(t), conn, get, "")
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), discovery.ErrForbidden.Error()) {
				t.Errorf("error %v, want UNAVAILABLE because the address is forbidden", err)
			}
			if e, ok := errors.AsType[*transport.Error](err); !ok || e.MaybeExecuted {
				t.Errorf("error %v; want one of the mesh that surely nothing was executed", err)
			}
			if n := secret.reached(t); n != 0 {
				t.Errorf("%d connections were made", n)
			}
			d := mesh.Dump().Services[0]
			if d.ForbiddenSockets > 0 != row.socket || d.Forbidden > 0 == row.socket {
				t.Errorf("%d sockets and %d endpoints forbidden, %v", d.ForbiddenSockets, d.Forbidden, d.Violations)
			}
		})
	}
}

func TestLoopbackIsUsedWhereItIsAllowed(t *testing.T) {
	for _, row := range []struct {
		name  string
		local bool
		reach discovery.Reach
		host  string
	}{
		{"by a local registry", true, discovery.Reach{}, "127.0.0.1"},
		{"in code", false, discovery.Reach{Loopback: true}, "127.0.0.1"},
		{"as a network", false, discovery.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "127.0.0.1"},
		{"by a name", true, discovery.Reach{Hostnames: true}, "localhost"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := start(t, "a")
			mesh := meshOver(t, row.local, row.reach, row.host+":"+a.port())
			conn := dial(t, "mesh:///orders", fairgrpc.DialOptions(mesh)...)
			if got := mustCall(t, conn, get, "x"); got != "a:x" {
				t.Errorf("answer %q", got)
			}
		})
	}
}

// The options hold for clients of other targets as well. What those connect to
// is none of the mesh's business.
func TestOtherTargetsAreDialledAsEver(t *testing.T) {
	a := start(t, "a")
	socket := t.TempDir() + "/a.sock"
	a.also(t, "unix", socket)
	a.also(t, "unix", "@fairlead-"+a.port())
	options := append(fairgrpc.DialOptions(meshOver(t, false, discovery.Reach{})), grpc.WithDefaultServiceConfig("{}"))
	for _, target := range []string{
		"passthrough:///" + a.addr, "dns:///" + a.addr, "unix://" + socket, "unix:" + socket, "passthrough:///unix://" + socket,
		"unix-abstract:fairlead-" + a.port(),
	} {
		t.Run(target, func(t *testing.T) {
			if got := mustCall(t, dial(t, target, options...), get, "x"); got != "a:x" {
				t.Errorf("answer %q", got)
			}
		})
	}
}

// A channel that comes without our dialer cannot check what names become: the
// resolver does not serve it where there may be names.
func TestResolverAloneTakesNoNames(t *testing.T) {
	a := start(t, "a")
	mesh := meshOver(t, true, discovery.Reach{Hostnames: true}, "localhost:"+a.port())
	alone := grpc.WithResolvers(fairgrpc.Resolver(mesh))
	if _, err := call(within(t), dial(t, "mesh:///orders", alone), get, ""); err == nil || !strings.Contains(err.Error(), "Reach.Hostnames") {
		t.Errorf("error %v, want one that names the field", err)
	}
	own := grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	})
	if got := mustCall(t, dial(t, "mesh:///orders", alone, own), get, "x"); got != "a:x" {
		t.Errorf("answer %q through a dialer of the client's", got)
	}
}
