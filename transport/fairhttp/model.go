package fairhttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"time"
)

// HTTP/2 says nothing of itself when its connection is dead. Pings also run on
// idle connections, so they are neither shorter nor faster than this: strict
// servers answer floods with GOAWAY.
const (
	sendPingTimeout = 5 * time.Second
	pingTimeout     = 2 * time.Second
)

// buildable reports whether each instance can have a transport of its own.
func buildable(base http.RoundTripper) bool {
	if base == nil {
		base = http.DefaultTransport
	}
	_, ok := base.(*http.Transport)
	return ok
}

// dialsTLS reports whether a base makes its TLS connections in a way of its own.
func dialsTLS(base *http.Transport) bool {
	//lint:ignore SA1019 a caller's transport may still have one
	return base.DialTLSContext != nil || base.DialTLS != nil
}

// modelOf returns what the transport of each instance is cloned from: the
// base with c applied. It is complete, so that Clone is all that is left to do.
func modelOf(base *http.Transport, c Config) *http.Transport {
	m := base.Clone()
	m.Proxy = nil // an instance is picked to be spoken to, not to be asked for

	if c.TLS != nil {
		m.TLSClientConfig = c.TLS.Clone()
	} else if m.TLSClientConfig == nil {
		m.TLSClientConfig = new(tls.Config)
	}

	// net/http turns HTTP/2 off where it sees a dialer or a TLS configuration
	// of somebody else's, and there will be both. What the base speaks is
	// therefore said out loud; Clone has just made it decide. A base prepared
	// by x/net/http2 gets net/http's own HTTP/2, since the other keeps one pool
	// for all clones.
	_, http2 := base.TLSNextProto["h2"]
	m.TLSNextProto = nil
	switch {
	case c.Protocols != nil:
		m.Protocols = new(*c.Protocols)
	case m.Protocols == nil:
		m.Protocols = new(http.Protocols)
		m.Protocols.SetHTTP1(true)
		m.Protocols.SetHTTP2(http2)
	}
	protos := slices.Clone(m.TLSClientConfig.NextProtos) // the caller's array
	if !m.Protocols.HTTP2() {
		protos = slices.DeleteFunc(protos, func(p string) bool { return p == "h2" })
	}
	m.TLSClientConfig.NextProtos = protos
	if m.HTTP2 == nil {
		m.HTTP2 = new(http.HTTP2Config)
	}
	m.HTTP2.SendPingTimeout = cmp.Or(m.HTTP2.SendPingTimeout, sendPingTimeout)
	m.HTTP2.PingTimeout = cmp.Or(m.HTTP2.PingTimeout, pingTimeout)

	// A transport of one instance has one host: the limit over all hosts means
	// nothing here and would undercut the other.
	m.MaxIdleConns = 0
	m.MaxIdleConnsPerHost = cmp.Or(c.MaxIdle, m.MaxIdleConnsPerHost, defaultMaxIdle)
	m.MaxConnsPerHost = cmp.Or(c.MaxConns, m.MaxConnsPerHost)
	m.IdleConnTimeout = cmp.Or(c.IdleTimeout, m.IdleConnTimeout)

	//lint:ignore SA1019 a caller's transport may still have one
	m.DialContext, m.DialTLSContext = withContext(m.DialContext, m.Dial), withContext(m.DialTLSContext, m.DialTLS)
	//lint:ignore SA1019 they are in the others now
	m.Dial, m.DialTLS = nil, nil
	return m
}

// withContext returns dial, or what the field it supersedes has, or nil.
func withContext(dial dialFunc, old func(network, addr string) (net.Conn, error)) dialFunc {
	if dial != nil || old == nil {
		return dial
	}
	return func(_ context.Context, network, addr string) (net.Conn, error) { return old(network, addr) }
}

func (t *Transport) maxConnAge() time.Duration { return cmp.Or(t.config.MaxConnAge, defaultMaxConnAge) }
