package proxies

import (
	"net"
	"strings"
)

// address is a host:port or unix:/path, which every proxy spells in its own way.
type address string

// Socket is the path of a unix socket, or empty.
func (a address) Socket() string {
	path, ok := strings.CutPrefix(string(a), "unix:")
	if !ok {
		return ""
	}
	return path
}

func (a address) Host() string {
	host, _, _ := net.SplitHostPort(string(a))
	return host
}

func (a address) Port() string {
	_, port, _ := net.SplitHostPort(string(a))
	return port
}

// network is what package net calls it.
func (a address) network() (network, at string) {
	if socket := a.Socket(); socket != "" {
		return "unix", socket
	}
	return "tcp", string(a)
}
