// Package tcpproxy is a network that can be broken: a TCP proxy on 127.0.0.1
// that stops forwarding or cuts connections when told to.
package tcpproxy

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy forwards connections to one address.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup // all goroutines; Close waits for them

	mu     sync.Mutex // guards all below
	pairs  map[*pair]bool
	silent bool // of new connections
	refuse bool
	closed bool
}

// pair is one connection with its continuation to the target.
type pair struct {
	near, far net.Conn

	mu     sync.Mutex // guards open
	opened *sync.Cond // open has changed
	open   bool       // data is forwarded
	cut    bool
}

// New returns a proxy that forwards to target until the test ends.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: l, pairs: map[*pair]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is where to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Pass heals: everything is forwarded again, also what was held back.
func (p *Proxy) Pass() { p.set(false, false, true) }

// Blackhole makes all connections, and new ones, go silent without an end, as
// when packets are lost.
func (p *Proxy) Blackhole() { p.set(true, false, false) }

// Freeze makes the connections that stand go silent while new ones work, as
// when a load balancer has forgotten them.
func (p *Proxy) Freeze() { p.set(false, false, false) }

// Cut resets all connections and every new one.
func (p *Proxy) Cut() {
	p.set(false, true, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		c.end()
	}
}

func (p *Proxy) set(silent, refuse, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent, p.refuse = silent, refuse
	for c := range p.pairs {
		c.set(open)
	}
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.pairs {
		c.end()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.forward(near) })
	}
}

func (p *Proxy) forward(near net.Conn) {
	if p.refuses() {
		reset(near)
		return
	}
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		reset(near)
		return
	}
	c := &pair{near: near, far: far}
	c.opened = sync.NewCond(&c.mu)
	p.mu.Lock()
	if p.refuse || p.closed {
		p.mu.Unlock()
		c.end()
		return
	}
	c.open = !p.silent
	p.pairs[c] = true
	p.mu.Unlock()

	var both sync.WaitGroup
	both.Go(func() { c.copy(far, near) })
	both.Go(func() { c.copy(near, far) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

func (p *Proxy) refuses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuse
}

// copy forwards one direction and ends the pair when it ends.
func (c *pair) copy(to io.Writer, from io.Reader) {
	defer c.end()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if !c.pass() {
				return
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until data may go on; it returns false when the pair was cut.
func (c *pair) pass() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.open && !c.cut {
		c.opened.Wait()
	}
	return !c.cut
}

func (c *pair) set(open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = open
	c.opened.Broadcast()
}

func (c *pair) end() {
	c.mu.Lock()
	c.cut = true
	c.opened.Broadcast()
	c.mu.Unlock()
	reset(c.near)
	reset(c.far)
}

// reset closes with RST instead of FIN.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}
