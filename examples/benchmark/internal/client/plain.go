package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// plainHTTP is an http.Client that takes the hosts in turn.
func plainHTTP(a Assignment, _ telemetry) (httpClient, error) {
	pool := httpPool(a.Scenario)
	return httpClient{
		transport: &rotation{hosts: hosts(a.Addrs, pool), base: pool},
		scheme:    "http",
		close:     closers{func() error { pool.CloseIdleConnections(); return nil }},
	}, nil
}

// rotation sends each request to the next host: the least that a client of
// several hosts has to do.
type rotation struct {
	hosts []string
	base  http.RoundTripper
	next  atomic.Uint64
}

func (r *rotation) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, url := *req, *req.URL // the caller's request must stay as it is
	url.Host = r.hosts[r.next.Add(1)%uint64(len(r.hosts))]
	sent.URL = &url
	return r.base.RoundTrip(&sent)
}

// hosts returns what URLs say of addresses. A unix socket has a name that only
// the pool knows.
func hosts(addrs []string, pool *http.Transport) []string {
	named := make([]string, len(addrs))
	sockets := map[string]string{}
	for n, addr := range addrs {
		named[n] = addr
		if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
			named[n] = fmt.Sprintf("socket-%d:80", n)
			sockets[named[n]] = socket
		}
	}
	if len(sockets) > 0 {
		elsewhere := pool.DialContext
		pool.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if socket := sockets[addr]; socket != "" {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			}
			return elsewhere(ctx, network, addr)
		}
	}
	return named
}
