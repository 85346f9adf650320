package discovery_test

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// policyModel judges 16 bytes of an address by hand. It knows nothing of
// prefixes, and loopback is all that can be switched.
func policyModel(ip net.IP, loopback bool) (allowed bool) {
	b := ip.To16()
	if four := ip.To4(); four != nil {
		if four[0] == 127 {
			return loopback
		}
		return plainModel(four)
	}
	switch zeros := bytes.Repeat([]byte{0}, 12); {
	case bytes.Equal(b, append(zeros, 0, 0, 0, 1)):
		return loopback
	case bytes.Equal(b[:12], zeros): // with ::
		return plainModel(b[12:])
	case bytes.Equal(b[:12], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}):
		return plainModel(b[12:])
	case bytes.Equal(b[:12], []byte{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}):
		return plainModel(b[12:])
	case bytes.Equal(b[:6], []byte{0, 0x64, 0xff, 0x9b, 0, 1}):
		return false
	case b[0] == 0x20 && b[1] == 0x02:
		return plainModel(b[2:6])
	case b[0] == 0xff, b[0] == 0xfe && b[1]>>6 == 2:
		return false
	}
	return !slices.Contains([]string{"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42"}, ip.String())
}

func plainModel(four []byte) (allowed bool) {
	switch {
	case four[0] == 0, four[0] == 127, four[0]>>4 == 14, four[0] == 169 && four[1] == 254, bytes.Equal(four, []byte{255, 255, 255, 255}):
		return false
	}
	return !slices.Contains([]string{"100.100.100.200", "168.63.129.16", "192.0.0.192"}, net.IP(four).String())
}

// looseIPv4 reads an address as the oldest resolvers do: one to four numbers,
// decimal, octal or hex, the last filling what is left (inet_aton).
func looseIPv4(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return false
	}
	for _, p := range parts {
		if rest, hex := strings.CutPrefix(strings.ToLower(p), "0x"); hex && strings.Trim(rest, "0123456789abcdef") == "" {
			continue
		}
		if _, err := strconv.ParseUint(p, 10, 64); err != nil {
			return false
		}
	}
	return true
}

// FuzzAddrPolicy: what is accepted is no refused address however it is
// written, what the policy allows is what the model allows, and the socket is
// judged as the string was.
func FuzzAddrPolicy(f *testing.F) {
	for _, addr := range []string{
		"10.0.0.7:80", "[::ffff:169.254.169.254]:80", "[fe80::1%eth0]:80", "2130706433:80", "0177.0.0.1:80", "0x7f.1:80", "127.1:80",
		"orders.example:80", "10.0.0.7:80@x", "10.0.0.7:0", "unix:/run/a", "[64:ff9b::7f00:1]:80", "localhost:65535", "[::]:1", "1.2.3.4.5:6",
	} {
		f.Add(addr, []byte(nil), uint16(0), true, true, []byte(nil), byte(0))
	}
	for _, ip := range []string{"127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b:1::1", "2002:a9fe:a9fe::", "fd00:ec2::254", "::ffff:0:7f00:1", "::2"} {
		f.Add("", []byte(netip.MustParseAddr(ip).AsSlice()), uint16(80), false, false, []byte{169, 254, 0, 0}, byte(16))
	}
	f.Fuzz(func(t *testing.T, addr string, ip []byte, port uint16, loopback, hostnames bool, network []byte, bits byte) {
		if a, ok := netip.AddrFromSlice(ip); ok {
			addr = netip.AddrPortFrom(a, port).String()
		}
		i := valid()
		i.Addr = addr
		valid := i.Validate() == nil
		r := discovery.Reach{Loopback: loopback, Hostnames: hostnames}
		accepted := valid && judge(r, addr) == nil

		host, portText, err := net.SplitHostPort(addr)
		n, perr := strconv.ParseUint(portText, 10, 16)
		literal := net.ParseIP(host)
		switch {
		case accepted && (err != nil || perr != nil || n == 0):
			t.Fatalf("%q is accepted, and cannot be dialled", addr)
		case literal != nil && !strings.Contains(host, "%"):
			want := n != 0 && perr == nil && policyModel(literal, loopback)
			if accepted != want {
				t.Fatalf("%q is accepted: %t; by the model: %t (valid: %t)", addr, accepted, want, valid)
			}
			if err := r.CheckSocket("tcp", addr); valid && (err == nil) != accepted {
				t.Fatalf("%q is accepted: %t; its socket: %v", addr, accepted, err)
			}
		case accepted:
			if !hostnames || looseIPv4(host) || strings.ContainsAny(host, "%:[]@/\\ \n\x00") {
				t.Fatalf("%q is accepted as the name of a host", addr)
			}
		}

		// A network can only take away, but for what it names.
		p, ok := netip.AddrFromSlice(network)
		if !ok || literal == nil {
			return
		}
		prefix, err := p.Prefix(int(bits))
		r.Networks = []netip.Prefix{prefix}
		if err != nil || r.Validate() != nil {
			return
		}
		_, dialled, _ := net.ParseCIDR(prefix.String())
		special := literal.IsLoopback() || literal.To4() != nil && literal.IsLinkLocalUnicast()
		if judge(r, addr) == nil && !dialled.Contains(literal) && !(literal.IsLoopback() && loopback) {
			t.Fatalf("%q is accepted outside %v", addr, prefix)
		}
		if judge(r, addr) == nil && !accepted && (!special || bits < 8) {
			t.Fatalf("%q is accepted because of %v", addr, prefix)
		}
	})
}
