package advertise

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddr(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "orders.sock")
	for _, c := range []struct {
		name, network, listen string
		want                  func(net.Listener) string
	}{
		{"an address is announced as it is", "tcp", "127.0.0.1:0", func(l net.Listener) string { return l.Addr().String() }},
		{"a unix socket by its path", "unix", socket, func(net.Listener) string { return "unix:" + socket }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, c.network, c.listen)
			got, err := Addr(l)
			if err != nil || got != c.want(l) {
				t.Errorf("Addr = %q, %v; want %q", got, err, c.want(l))
			}
		})
	}
}

func TestAddrOfUnspecifiedIsUsable(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0"} {
		l := listen(t, "tcp", address)
		got, err := Addr(l)
		if err != nil {
			t.Fatal(err)
		}
		ap, err := netip.ParseAddrPort(got)
		if err != nil || ap.Addr().IsUnspecified() || int(ap.Port()) != l.Addr().(*net.TCPAddr).Port {
			t.Errorf("listening at %s, announced %q: it must be a literal address with the port of %s", address, got, l.Addr())
		}
		// Whatever was chosen is one of this host's own, so this listener
		// answers there.
		conn, err := net.Dial("tcp", got)
		if err != nil {
			t.Fatalf("the announced address does not answer: %v", err)
		}
		conn.Close()
	}
}

func TestAddrRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		addr net.Addr
	}{
		{"an abstract socket", &net.UnixAddr{Name: "@orders", Net: "unix"}},
		{"a socket without a name", &net.UnixAddr{Net: "unix"}},
		{"what is no socket", pipeAddr{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Addr(addressed{addr: c.addr})
			if err == nil || !strings.Contains(err.Error(), c.addr.String()) {
				t.Errorf("Addr = %q, %v; want an error that names %q", got, err, c.addr)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name, any string
		own       []string
		want      string
	}{
		{"the first global IPv4", "::", []string{"127.0.0.1", "10.0.0.7", "10.0.0.8"}, "10.0.0.7"},
		{"IPv4 before IPv6", "::", []string{"2001:db8::7", "10.0.0.7"}, "10.0.0.7"},
		{"IPv6 where there is nothing else", "::", []string{"::1", "fe80::1", "2001:db8::7", "2001:db8::8"}, "2001:db8::7"},
		{"no IPv6 for a listener of IPv4", "0.0.0.0", []string{"2001:db8::7"}, "127.0.0.1"},
		{"no link-local, which means another interface elsewhere", "::", []string{"169.254.1.1", "fe80::1"}, "::1"},
		{"loopback on a host without a network", "0.0.0.0", nil, "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var own []netip.Addr
			for _, a := range c.own {
				own = append(own, netip.MustParseAddr(a))
			}
			if got := choose(netip.MustParseAddr(c.any), own).String(); got != c.want {
				t.Errorf("choose(%s, %v) = %s, want %s", c.any, c.own, got, c.want)
			}
		})
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// addressed is a listener of which nothing but the address matters.
type addressed struct {
	net.Listener
	addr net.Addr
}

func (a addressed) Addr() net.Addr { return a.addr }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe#1" }
