package proxies

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// Config is what a proxy is to do.
type Config struct {
	Dir      string // for all that it writes
	Protocol string // of the scenario
	Payload  int    // bytes of its messages, which buffers have to hold
	Hops     []Hop
}

// Hop is one listener of a proxy and those it passes calls on to, in turn.
type Hop struct {
	Unix      bool     // it listens on a unix socket, else on loopback
	Upstreams []string // host:port or unix:/path
}

// plain are paths that mean the same in all configuration files without quotes.
var plain = regexp.MustCompile(`^[\w/.+-]+$`)

// longest is what the name of a socket may have on Linux.
const longest = 107

func (c Config) validate() error {
	protocols := []string{scenario.HTTP1, scenario.HTTP2, scenario.GRPC, scenario.GRPCStream}
	switch {
	case !slices.Contains(protocols, c.Protocol):
		return fmt.Errorf("Config.Protocol %q: allowed are %v", c.Protocol, protocols)
	case !filepath.IsAbs(c.Dir) || !plain.MatchString(c.Dir):
		return fmt.Errorf("Config.Dir %q: allowed is an absolute path of letters, digits and / . _ + -", c.Dir)
	case len(c.Hops) == 0:
		return fmt.Errorf("Config.Hops %v: allowed are one or more", c.Hops)
	}
	for n, hop := range c.Hops {
		if len(hop.Upstreams) == 0 {
			return fmt.Errorf("Config.Hops[%d].Upstreams %v: allowed are one or more", n, hop.Upstreams)
		}
		for _, u := range hop.Upstreams {
			if err := address(u).validate(); err != nil {
				return fmt.Errorf("Config.Hops[%d].Upstreams: %w", n, err)
			}
		}
	}
	return nil
}

func (a address) validate() error {
	socket := a.Socket()
	switch _, err := netip.ParseAddrPort(string(a)); {
	case socket == "" && err == nil, filepath.IsAbs(socket) && plain.MatchString(socket) && len(socket) <= longest:
		return nil
	}
	return fmt.Errorf("address %q: allowed are ip:port and unix: with an absolute path of at most %d letters, digits and / . _ + -", a, longest)
}
