package discovery

import (
	"net/netip"
	"slices"
)

// union is the instances of all members. Of those that are the same, the
// record of the earlier member counts; within one member's list no instance is
// taken for another.
func union(all []said) []*Instance {
	var together []*Instance
	ids := map[string]bool{}
	addrs := map[netip.AddrPort]bool{}
	for _, m := range all {
		before := len(together)
		for _, i := range m.snapshot.Instances {
			if !ids[i.ID] && !slices.ContainsFunc(addrPorts(i), func(a netip.AddrPort) bool { return addrs[a] }) {
				together = append(together, i)
			}
		}
		for _, i := range together[before:] {
			ids[i.ID] = true
			for _, a := range addrPorts(i) {
				addrs[a] = true
			}
		}
	}
	Sort(together)
	return together
}

// addrPorts is where i can be reached, however that is spelled. A unix socket
// says nothing: each host has its own of that name.
func addrPorts(i *Instance) []netip.AddrPort {
	all := make([]netip.AddrPort, 0, 1+len(i.Endpoints))
	add := func(addr string) {
		if a, err := netip.ParseAddrPort(addr); err == nil {
			all = append(all, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
		}
	}
	add(i.Addr)
	for _, e := range i.Endpoints {
		add(e.Addr)
	}
	return all
}

// keep returns now, in which an instance that is as it was in before has the
// pointer that it had there. Both are sorted by ID.
func keep(before, now []*Instance) []*Instance {
	kept, n := now, 0
	for k, i := range now {
		for n < len(before) && before[n].ID < i.ID {
			n++
		}
		if n == len(before) || before[n] == i || !before[n].Equal(i) {
			continue
		}
		if &kept[0] == &now[0] {
			kept = slices.Clone(now) // which is the member's
		}
		kept[k] = before[n]
	}
	return kept
}
