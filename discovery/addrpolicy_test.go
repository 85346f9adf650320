package discovery_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func networks(prefixes ...string) (all []netip.Prefix) {
	for _, p := range prefixes {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// judge asks a reach about an instance that has this one address.
func judge(r discovery.Reach, addr string) error {
	usable, passed := r.Endpoints(&discovery.Instance{ID: "a", Service: "orders", Addr: addr})
	switch {
	case len(usable) == 1 && usable[0] == discovery.Endpoint{Addr: addr} && len(passed.Forbidden) == 0:
		return nil
	case len(usable) == 0 && len(passed.Forbidden) == 1 && passed.Ignored == 0:
		return passed.Forbidden[0]
	default:
		return fmt.Errorf("neither allowed nor forbidden: %v, %+v", usable, passed)
	}
}

func wantAllowed(t *testing.T, err error, allowed bool) {
	t.Helper()
	if allowed != (err == nil) {
		t.Errorf("error %v, want allowed: %t", err, allowed)
	}
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*discovery.ForbiddenError](err); !ok || !errors.Is(err, discovery.ErrForbidden) || e.Addr == "" || e.Reason == "" {
		t.Errorf("error %#v, want a ForbiddenError with address and reason", err)
	}
}

// Literal addresses get the same verdict on the string and on the socket.
func TestReachLiteralAddresses(t *testing.T) {
	var (
		standard = discovery.Reach{}
		loopback = discovery.Reach{Loopback: true}
		lan      = discovery.Reach{Networks: networks("10.0.0.0/8", "2001:db8::/32", "64:ff9b::/96")}
		lanLocal = discovery.Reach{Networks: networks("10.0.0.0/8"), Loopback: true}
		open     = discovery.Reach{Networks: networks("0.0.0.0/0", "169.254.0.0/15", "::/0")} // wider than what they would have to name
		named    = discovery.Reach{Networks: networks("169.254.0.0/16", "127.0.0.2/32", "fe80::/10", "fd00::/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48", "224.0.0.0/4", "::ffff:0:0:0/96")}
		all      = []discovery.Reach{standard, loopback, lan, lanLocal, open, named}
	)
	in := func(r ...discovery.Reach) []discovery.Reach { return r }
	for _, row := range []struct {
		name, addr string
		allowed    []discovery.Reach
	}{
		{"private", "10.0.0.7:80", in(standard, loopback, lan, lanLocal, open)},
		{"private, mapped into IPv6", "[::ffff:10.0.0.7]:80", in(standard, loopback, lan, lanLocal, open)},
		{"public", "203.0.113.7:80", in(standard, loopback, open)},
		{"IPv6", "[2001:db8::7]:65535", in(standard, loopback, lan, open)},
		{"unique local IPv6", "[fd12::7]:1", in(standard, loopback, open, named)},
		{"shared address space", "100.64.0.1:80", in(standard, loopback, open, named)},

		{"loopback", "127.0.0.1:2379", in(loopback, lanLocal)},
		{"the end of loopback", "127.255.255.254:80", in(loopback, lanLocal)},
		{"loopback that a network names", "127.0.0.2:80", in(loopback, lanLocal, named)},
		{"IPv6 loopback", "[::1]:80", in(loopback, lanLocal)},
		{"IPv6 loopback written out", "[0:0:0:0:0:0:0:1]:80", in(loopback, lanLocal)},
		{"loopback mapped into IPv6", "[::ffff:127.0.0.1]:80", in(loopback, lanLocal)},
		{"loopback mapped into IPv6, in hex", "[::ffff:7f00:1]:80", in(loopback, lanLocal)},
		{"loopback, IPv4-compatible", "[::127.0.0.1]:80", nil},
		{"loopback, IPv4-translated", "[::ffff:0:127.0.0.1]:80", nil},
		{"loopback through NAT64", "[64:ff9b::127.0.0.1]:80", nil},
		{"loopback through 6to4", "[2002:7f00:1::]:80", nil},

		{"link-local", "169.254.7.7:80", in(named)},
		{"link-local mapped into IPv6", "[::ffff:169.254.7.7]:80", in(named)},
		{"link-local through NAT64", "[64:ff9b::169.254.7.7]:80", nil},
		{"IPv6 link-local", "[fe80::1]:80", nil},
		{"the end of IPv6 link-local", "[febf::1]:80", nil},
		{"IPv6 link-local with a zone", "[fe80::1%eth0]:80", nil},
		{"private with a zone", "[fd12::7%1]:80", nil},
		{"mapped with a zone", "[::ffff:10.0.0.7%eth0]:80", nil},

		{"metadata", "169.254.169.254:80", nil},
		{"metadata mapped into IPv6", "[::ffff:169.254.169.254]:80", nil},
		{"metadata mapped into IPv6, in hex", "[::ffff:a9fe:a9fe]:80", nil},
		{"metadata, IPv4-compatible", "[::169.254.169.254]:80", nil},
		{"metadata, IPv4-translated", "[::ffff:0:a9fe:a9fe]:80", nil},
		{"metadata through NAT64", "[64:ff9b::a9fe:a9fe]:80", nil},
		{"metadata through local NAT64", "[64:ff9b:1::a9fe:a9fe]:80", nil},
		{"metadata through 6to4", "[2002:a9fe:a9fe::1]:80", nil},
		{"metadata of AWS, IPv6", "[fd00:ec2::254]:80", nil},
		{"metadata of AWS ECS", "169.254.170.2:80", nil},
		{"metadata of AWS EKS", "169.254.170.23:80", nil},
		{"metadata of AWS EKS, IPv6", "[fd00:ec2::23]:80", nil},
		{"metadata of Google, IPv6", "[fd20:ce::254]:80", nil},
		{"metadata of Alibaba", "100.100.100.200:80", nil},
		{"metadata of Alibaba through 6to4", "[2002:6464:64c8::]:80", nil},
		{"metadata of Azure", "168.63.129.16:80", nil},
		{"metadata of Oracle", "192.0.0.192:80", nil},
		{"metadata of Scaleway", "169.254.42.42:80", nil},
		{"metadata of Scaleway, IPv6", "[fd00:42::42]:80", nil},
		{"metadata of Tencent", "169.254.0.23:80", nil},

		{"private through NAT64", "[64:ff9b::10.0.0.7]:80", in(standard, loopback, lan, open)},
		{"private through 6to4", "[2002:a00:7::1]:80", in(standard, loopback, open)},
		{"unspecified", "0.0.0.0:80", nil},
		{"this network", "0.1.2.3:80", nil},
		{"unspecified mapped into IPv6", "[::ffff:0.0.0.0]:80", nil},
		{"unspecified IPv6", "[::]:80", nil},
		{"nearly unspecified IPv6", "[::2]:80", nil},
		{"multicast", "224.0.0.1:80", nil},
		{"the end of multicast", "239.255.255.255:80", nil},
		{"multicast mapped into IPv6", "[::ffff:224.0.0.1]:80", nil},
		{"IPv6 multicast", "[ff02::1]:80", nil},
		{"broadcast", "255.255.255.255:80", nil},
		{"broadcast through NAT64", "[64:ff9b::ffff:ffff]:80", nil},

		{"port 0", "10.0.0.7:0", nil},
		{"port too high", "10.0.0.7:65536", nil},
		{"no port", "10.0.0.7", nil},
		{"another host behind the port", "10.0.0.7:80@169.254.169.254", nil},
		{"decimal", "2852039166:80", nil},
		{"octal", "0251.0376.0251.0376:80", nil},
		{"hex", "0xa9fea9fe:80", nil},
		{"short", "169.254.43518:80", nil},
		{"leading zeros", "010.0.0.7:80", nil},
		{"not an address", "?", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, r := range all {
				allowed := false
				for _, a := range row.allowed {
					allowed = allowed || fmt.Sprint(a) == fmt.Sprint(r)
				}
				wantAllowed(t, judge(r, row.addr), allowed)
				r.Hostnames = true // makes no difference
				wantAllowed(t, judge(r, row.addr), allowed)
				wantAllowed(t, r.CheckSocket("tcp", row.addr), allowed)
				if t.Failed() {
					t.Fatalf("by %+v", r)
				}
			}
		})
	}
}

func TestReachHostnames(t *testing.T) {
	for _, addr := range []string{"orders-7.example:8080", "localhost:80", "metadata.google.internal:80"} {
		wantAllowed(t, judge(discovery.Reach{}, addr), false)
		wantAllowed(t, judge(discovery.Reach{Networks: networks("0.0.0.0/0"), Loopback: true}, addr), false)
		wantAllowed(t, judge(discovery.Reach{Hostnames: true}, addr), true)
		// A socket has an address, whatever the record had.
		wantAllowed(t, discovery.Reach{Hostnames: true}.CheckSocket("tcp", addr), false)
	}
}

func TestCheckSocketJudgesTCPOnly(t *testing.T) {
	var r discovery.Reach
	for _, row := range []struct {
		network, address string
		allowed          bool
	}{
		{"tcp", "127.0.0.1:80", false},
		{"tcp4", "127.0.0.1:80", false},
		{"tcp6", "[::1]:80", false},
		{"tcp6", "[fe80::1%eth0]:80", false},
		{"tcp", "?", false},
		{"tcp4", "10.0.0.7:80", true},
		{"unix", "/run/orders.sock", true},
		{"unix", "@orders", true},
		{"pipe", "pipe", true},
	} {
		wantAllowed(t, r.CheckSocket(row.network, row.address), row.allowed)
	}
}

func TestAllows(t *testing.T) {
	var r discovery.Reach
	wantAllowed(t, r.Allows(netip.MustParseAddr("10.0.0.7")), true)
	wantAllowed(t, r.Allows(netip.MustParseAddr("169.254.169.254")), false)
	wantAllowed(t, r.Allows(netip.Addr{}), false)
}

// An instance is reached where it may be, and what is passed over is told.
func TestReachPassesOverWhatIsForbidden(t *testing.T) {
	i := discovery.Instance{ID: "a", Service: "orders", Addr: "169.254.169.254:80", Endpoints: []discovery.Endpoint{
		{Protocol: discovery.HTTP, Addr: "127.0.0.1:2379"},
		{Protocol: discovery.GRPC, Addr: "169.254.169.254:80"},
		{Protocol: discovery.HTTP, Addr: "10.0.0.7:80"},
		{Protocol: discovery.HTTP, Addr: "10.0.0.8:80"},
		{Protocol: discovery.GRPC, Addr: "unix:/run/orders.sock"},
		{Protocol: discovery.GRPC, Addr: "unix:/run/other.sock"},
	}}
	usable, passed := discovery.Reach{}.Endpoints(&i)
	if len(usable) != 1 || usable[0] != i.Endpoints[2] {
		t.Errorf("usable %v, want the first HTTP endpoint that is allowed, and none for gRPC", usable)
	}
	if len(passed.Forbidden) != 2 || passed.Forbidden[0].Addr != "127.0.0.1:2379" || passed.Forbidden[1].Addr != "169.254.169.254:80" {
		t.Errorf("forbidden %v, want both, each once", passed.Forbidden)
	}
	if passed.Ignored != 2 {
		t.Errorf("%d unix endpoints ignored, want 2", passed.Ignored)
	}
}

func TestForbiddenErrorFillsNoLogLine(t *testing.T) {
	err := &discovery.ForbiddenError{Addr: strings.Repeat("x", 1<<20) + "\n", Reason: "not an address"}
	if s := err.Error(); len(s) > 300 || strings.Contains(s, "\n") {
		t.Errorf("%d bytes: %.200s", len(s), s)
	}
}
