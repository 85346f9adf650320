// Package dnstest runs DNS servers for tests: real ones, on UDP and TCP of
// 127.0.0.1, whose zone can be changed and which can be broken.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers for all names there are. A name that has no records at all
// does not exist.
type Server struct {
	packets net.PacketConn
	streams net.Listener
	running sync.WaitGroup // all goroutines; the end of the test waits for them

	mu      sync.Mutex // guards all below
	srv     map[string][]net.SRV
	hosts   map[string][]netip.Addr
	code    dnsmessage.RCode // of all answers, unless it is success
	silent  bool
	queries int
	conns   map[net.Conn]bool
	closed  bool
}

// New returns a server without any names, until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	packets, streams, err := listen()
	for try := 1; err != nil && try < 10; try++ {
		packets, streams, err = listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		packets: packets,
		streams: streams,
		srv:     map[string][]net.SRV{},
		hosts:   map[string][]netip.Addr{},
		conns:   map[net.Conn]bool{},
	}
	s.running.Go(s.servePackets)
	s.running.Go(s.serveStreams)
	t.Cleanup(s.close)
	return s
}

// listen opens one port on TCP and UDP. The one that is free on TCP may be taken
// on UDP.
func listen() (net.PacketConn, net.Listener, error) {
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	packets, err := net.ListenPacket("udp", streams.Addr().String())
	if err != nil {
		streams.Close()
		return nil, nil, err
	}
	return packets, streams, nil
}

// Addr is where the server answers.
func (s *Server) Addr() string { return s.streams.Addr().String() }

// Resolver returns a resolver that asks this server and nobody else.
func (s *Server) Resolver() *net.Resolver { return Resolver(s.Addr()) }

// Resolver returns a resolver that asks the server at addr, which may be that
// of another process, and nobody else.
func Resolver(addr string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
}

// SetSRV replaces the SRV records of name, all at once.
func (s *Server) SetSRV(name string, records ...net.SRV) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.srv[canonical(name)] = records
}

// SetHost replaces the A and AAAA records of name, all at once.
func (s *Server) SetHost(name string, addrs ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[canonical(name)] = addrs
}

// Fail makes the server answer everything with SERVFAIL.
func (s *Server) Fail() { s.set(dnsmessage.RCodeServerFailure, false) }

// Silence makes the server answer nothing.
func (s *Server) Silence() { s.set(dnsmessage.RCodeSuccess, true) }

// Heal ends what Fail or Silence began.
func (s *Server) Heal() { s.set(dnsmessage.RCodeSuccess, false) }

func (s *Server) set(code dnsmessage.RCode, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.silent = code, silent
}

// Queries is how many the server was sent so far.
func (s *Server) Queries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries
}

func (s *Server) close() {
	s.packets.Close()
	s.streams.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *Server) servePackets() {
	for buffer := make([]byte, 64<<10); ; {
		n, from, err := s.packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer := s.answer(buffer[:n], true); answer != nil {
			s.packets.WriteTo(answer, from)
		}
	}
}

func (s *Server) serveStreams() {
	for {
		c, err := s.streams.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			c.Close()
		}
		s.conns[c] = true
		s.mu.Unlock()
		s.running.Go(func() { s.serveStream(c) })
	}
}

// serveStream answers queries that have their length before them, as DNS has
// it on TCP, until the connection ends.
func (s *Server) serveStream(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	for {
		var length uint16
		if binary.Read(c, binary.BigEndian, &length) != nil {
			return
		}
		query := make([]byte, length)
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := s.answer(query, false)
		if answer == nil {
			continue
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }
