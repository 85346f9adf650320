package etcd

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Local reports whether every endpoint of etcd is on this host: a unix socket,
// a literal loopback address or localhost. Endpoints that the client finds out
// by itself (AutoSyncInterval) may be anywhere. A tunnel to another host that
// begins on loopback looks local; whoever uses one says in
// [discovery.Reach].Networks where instances are.
func (r *Registry) Local() bool {
	c := r.config.Client
	return c.AutoSyncInterval == 0 && !slices.ContainsFunc(c.Endpoints, isRemote)
}

func isRemote(endpoint string) bool {
	if strings.HasPrefix(endpoint, "unix:") || strings.HasPrefix(endpoint, "unixs:") {
		return false
	}
	_, after, found := strings.Cut(endpoint, "://")
	if found {
		endpoint = after
	}
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return !strings.EqualFold(host, "localhost")
	}
	return !addr.IsLoopback()
}
