package client

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/discovery"
)

// Where the client and the instances are.
const region, zone = "here", "here-1"

// instances are those at the addresses, and what has to be allowed to call them.
func instances(addrs []string, p discovery.Protocol) (all []discovery.Instance, reach discovery.Reach) {
	for n, addr := range addrs {
		i := discovery.Instance{ID: fmt.Sprint("orders-", n), Service: "orders", Addr: addr}
		if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
			reach.UnixDir = path.Dir(socket)
			// Who cannot reach the socket goes nowhere: nobody listens at port 1.
			i.Addr, i.Endpoints = "127.0.0.1:1", []discovery.Endpoint{{Protocol: p, Addr: addr}}
		}
		all = append(all, i)
	}
	return all, reach
}

// label says of the instances what everything.yaml goes by. They have just started,
// so that their slow start is at work.
func label(all []discovery.Instance) {
	halves := [...]string{"north", "south"}
	for n := range all {
		i := &all[n]
		i.Region, i.Zone, i.Version, i.StartedAt = region, zone, "v1.0", time.Now()
		i.Meta = map[string]string{"half": halves[n%2], "tier": "first"}
	}
}
