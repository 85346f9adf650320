package proxies

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// settings are what a configuration is made from.
type settings struct {
	Version  string // of the proxy
	Protocol string // http1, http2 or grpc
	Payload  int
	Cores    int
	Files    int // that a process may have open
	Root     bool
	Hops     []listener
}

type listener struct {
	Name      string
	Listen    address
	Upstreams []address
}

// most is how many files a proxy has use for: four thousand calls, with a connection on
// either side, and as many again.
const most = 16 << 10

// newSettings gives each hop an address: a free one, or that of a socket in dir.
func newSettings(version string, c Config, dir string, free func() (string, error)) (settings, error) {
	s := settings{Version: version, Protocol: c.Protocol, Payload: c.Payload, Cores: runtime.GOMAXPROCS(0), Files: openFiles(), Root: os.Geteuid() == 0}
	if s.Protocol == scenario.GRPCStream {
		s.Protocol = scenario.GRPC
	}
	for n, hop := range c.Hops {
		l := listener{Name: "hop" + strconv.Itoa(n)}
		if hop.Unix {
			l.Listen = address("unix:" + filepath.Join(dir, l.Name))
		} else {
			addr, err := free()
			if err != nil {
				return settings{}, err
			}
			l.Listen = address(addr)
		}
		if err := l.Listen.validate(); err != nil {
			return settings{}, err
		}
		for _, u := range hop.Upstreams {
			l.Upstreams = append(l.Upstreams, address(u))
		}
		s.Hops = append(s.Hops, l)
	}
	return s, nil
}

// Large reports whether messages fill the buffers that proxies have by default.
func (s settings) Large() bool { return s.Payload > 8<<10 }

func (s settings) HTTP1() bool { return s.Protocol == scenario.HTTP1 }
func (s settings) GRPC() bool  { return s.Protocol == scenario.GRPC }

// Before reports whether the proxy is older than some version of it.
func (s settings) Before(version ...int) bool {
	own := make([]int, 3)
	fmt.Sscanf(s.Version, "%d.%d.%d", &own[0], &own[1], &own[2])
	return slices.Compare(own, version) < 0
}

// Connections is how many clients may have, so that there are as many for the upstreams
// and some files for the rest.
func (s settings) Connections() int { return s.Files/2 - 100 }

// PoolLow is what HAProxy's manual suggests for upstreams that answer within a
// millisecond.
func (s settings) PoolLow() int { return 2 * s.Cores }
