package sim

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/fairlead-go/fairlead/discovery"
)

// newInstance is what the instance of that number announces.
func (w *world) newInstance(number int, c *Class) *discovery.Instance {
	ip := netip.AddrFrom4([4]byte{10, byte(number >> 16), byte(number >> 8), byte(number)})
	return &discovery.Instance{
		ID: fmt.Sprintf("i%06d", number), Service: "lab", Addr: netip.AddrPortFrom(ip, 80).String(),
		Weight: c.Weight, Zone: c.Zone,
	}
}

// numberOf is the number of the instance of an ID.
func (w *world) numberOf(id string) int32 {
	n, _ := strconv.Atoi(id[1:])
	return int32(n)
}

// publish makes the lists of those who are there, and tells all clients. Whoever
// hears of it late may hear of what came after it at the same time.
func (w *world) publish() {
	w.version++
	for hop := range w.lists {
		w.lists[hop] = discovery.Snapshot{Service: "lab", Revision: int64(w.version), State: discovery.Live}
	}
	for _, one := range w.servers { // numbers are in the order of IDs
		if one.stage == listed || one.stage == draining {
			list := &w.lists[w.plan.Fleet[one.class].Hop]
			list.Instances = append(list.Instances, one.instance)
		}
	}
	l := &w.plan.Lists
	for i := range w.clients {
		at := w.now
		if l.Delay > 0 {
			at += int64(w.nature.Uint64N(uint64(l.Delay)))
		}
		if from, until := beginning+int64(l.StaleFrom), beginning+int64(l.StaleUntil); at >= from && at < until {
			at = until
		}
		if at == w.now {
			w.hear(&w.clients[i])
		} else {
			w.queue.push(event{at: at, who: uint32(i), kind: hears})
		}
	}
}

func (w *world) zoneOf(name string) int {
	if name == "" {
		return -1
	}
	for i, z := range w.zones {
		if z == name {
			return i
		}
	}
	w.zones = append(w.zones, name)
	return len(w.zones) - 1
}

func keys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "key-" + strconv.Itoa(i)
	}
	return all
}
