package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
	"github.com/fairlead-go/fairlead/examples/benchmark/internal/proxies"
)

// way is how the clients of a lane reach the instances.
type way struct {
	name    string // of the lane
	variant string // what a client process is
	hops    int    // proxies between it and an instance: 0, 1 or 2
	proxy   string // which; [each] and [cheapest] are found out later
	unix    bool   // over a unix socket from the client on
	clients int    // client processes
}

// What stands for proxies that are found on the machine.
const (
	each     = ""
	cheapest = "one"
)

// Names of lanes end with these.
const (
	overUnix = "-unix"
	byFour   = "-x4" // by four client processes
)

// modes are ways through proxies. A client of a proxy needs nothing but its one
// address.
func modes() []way {
	return []way{
		{name: "sidecar", hops: 1, clients: 1},
		{name: "sidecar2", hops: 2, clients: 1},
		{name: "central", hops: 1, clients: 4},
	}
}

// waysAllowed is what the command line may name.
func waysAllowed() string {
	return fmt.Sprintf("%s, each also with %s or %s; sidecar-NAME, sidecar2-NAME, central-NAME, of these the sidecars also with %s; NAME is %s, or %s for the first found; without NAME it is every proxy found",
		strings.Join(client.Names(), ", "), overUnix, byFour, overUnix, strings.Join(proxies.Names(), ", "), cheapest)
}

// parseWay reads the name of a lane.
func parseWay(name string) (way, bool) {
	rest, unix := strings.CutSuffix(name, overUnix)
	if variant, four := strings.CutSuffix(rest, byFour); slices.Contains(client.Names(), variant) && !(four && unix) {
		return direct(variant, unix, four), true
	}
	mode, proxy, named := strings.Cut(rest, "-")
	i := slices.IndexFunc(modes(), func(m way) bool { return m.name == mode })
	if i < 0 || named && proxy != cheapest && !slices.Contains(proxies.Names(), proxy) {
		return way{}, false
	}
	w := modes()[i]
	w.name, w.variant, w.proxy, w.unix = name, "plain", proxy, unix
	return w, w.clients == 1 || !unix // a central proxy is not on the host of its clients
}

// direct is a way without proxies.
func direct(variant string, unix, four bool) way {
	w := way{name: variant, variant: variant, unix: unix, clients: 1}
	if unix {
		w.name += overUnix
	}
	if four {
		w.name += byFour
		w.clients = 4
	}
	return w
}

// base is what a way is compared with over a protocol: the same kind of clients,
// without a proxy. The sockets of sidecars are part of what these cost, and lead to
// instances that listen on TCP as those of the base do.
func (w way) base(protocol string) way {
	return direct(client.Base(protocol), w.unix && w.hops == 0, w.clients > 1)
}

// byBase sorts ways by their bases, the plainest first.
func byBase(a, b way) int {
	of := func(w way) int {
		switch base := w.base(""); {
		case base.clients > 1:
			return 2
		case base.unix:
			return 1
		}
		return 0
	}
	return cmp.Compare(of(a), of(b))
}

// through are the ways through the proxies that were found, in the order in which
// they are preferred.
func (w way) through(found []string) ([]way, error) {
	if w.hops == 0 {
		return []way{w}, nil
	}
	var names []string
	for _, name := range proxies.Names() {
		if slices.Contains(found, name) && (w.proxy == each || w.proxy == cheapest || w.proxy == name) {
			names = append(names, name)
		}
	}
	if w.proxy == cheapest && len(names) > 0 {
		names = names[:1]
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("-variants %q: not installed on this machine, found are %s", w.name, strings.Join(found, ", "))
	}
	var ways []way
	for _, name := range names {
		one := w
		mode, _, _ := strings.Cut(w.name, "-")
		one.proxy, one.name = name, mode+"-"+name
		if w.unix {
			one.name += overUnix
		}
		ways = append(ways, one)
	}
	return ways, nil
}
