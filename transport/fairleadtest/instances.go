package fairleadtest

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"

	"github.com/fairlead-go/fairlead/discovery"
)

// Instances returns an instance of service for each ID. Their addresses are
// made up, of a range that no network routes (RFC 3849); the same service and
// ID always get the same.
func Instances(service string, ids ...string) []discovery.Instance {
	instances := make([]discovery.Instance, len(ids))
	for i, id := range ids {
		hash := fnv.New64a()
		hash.Write([]byte(service + "/" + id))
		ip := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint64(ip[8:], hash.Sum64())
		instances[i] = discovery.Instance{
			ID:      id,
			Service: service,
			Addr:    netip.AddrPortFrom(netip.AddrFrom16(ip), 80).String(),
		}
	}
	return instances
}
