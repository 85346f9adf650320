package discovery

import "net/netip"

// special is a range of addresses that are not called just because a record
// says so.
type special struct {
	network  netip.Prefix
	why      string
	loopback bool // Reach.Loopback allows it
	nameable bool // an entry of Reach.Networks within network allows it
}

// specials is searched in this order: metadata addresses come first, since
// some lie in ranges that can be allowed.
var specials = [...]special{
	never("169.254.169.254/32", metadata), // AWS, Azure, Google, OpenStack and most others
	never("169.254.170.2/32", metadata),   // AWS ECS
	never("169.254.170.23/32", metadata),  // AWS EKS
	never("169.254.0.23/32", metadata),    // Tencent
	never("169.254.42.42/32", metadata),   // Scaleway
	never("100.100.100.200/32", metadata), // Alibaba
	never("168.63.129.16/32", metadata),   // Azure's host
	never("192.0.0.192/32", metadata),     // Oracle
	never("fd00:ec2::254/128", metadata),  // AWS
	never("fd00:ec2::23/128", metadata),   // AWS EKS
	never("fd20:ce::254/128", metadata),   // Google
	never("fd00:42::42/128", metadata),    // Scaleway

	{network: netip.MustParsePrefix("127.0.0.0/8"), why: loopback, loopback: true, nameable: true},
	{network: netip.MustParsePrefix("::1/128"), why: loopback, loopback: true, nameable: true},
	{network: netip.MustParsePrefix("169.254.0.0/16"), why: "link-local", nameable: true},
	never("fe80::/10", "link-local"),
	never("0.0.0.0/8", "unspecified"), // and the rest of "this network", RFC 1122
	never("224.0.0.0/4", "multicast"),
	never("ff00::/8", "multicast"),
	never("255.255.255.255/32", "broadcast"),
	// Where in it the IPv4 address stands is known to its operator alone.
	never("64:ff9b:1::/48", "of local NAT64 (RFC 8215), which hides an IPv4 address"),
}

const (
	metadata = "a cloud's metadata service"
	loopback = "loopback, which means another host to a registry that is not local"
)

func never(network, why string) special {
	return special{network: netip.MustParsePrefix(network), why: why}
}

func specialOf(addr netip.Addr) *special {
	for i := range specials {
		if s := &specials[i]; s.network.Contains(addr) {
			return s
		}
	}
	return nil
}

// carriers are the IPv6 networks that lead to IPv4 addresses, and where in an
// address that one stands.
var carriers = [...]struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, RFC 4291, deprecated; and ::
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated, RFC 2765, obsolete
}

// carriedBy returns the IPv4 address that addr leads to; it is not valid if
// there is none.
func carriedBy(addr netip.Addr) netip.Addr {
	for _, c := range carriers {
		if c.network.Contains(addr) {
			bytes := addr.As16()
			return netip.AddrFrom4([4]byte(bytes[c.at : c.at+4]))
		}
	}
	return netip.Addr{}
}
