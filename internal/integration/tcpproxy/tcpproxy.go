// Package tcpproxy is a network that can be broken: a TCP proxy on 127.0.0.1
// that delays, stops forwarding or cuts connections when told to.
package tcpproxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy forwards connections to one address.
type Proxy struct {
	listener net.Listener
	running  sync.WaitGroup // all goroutines; Close waits for them
	accepted atomic.Int64
	delay    atomic.Int64 // nanoseconds

	mu     sync.Mutex // guards all below
	target string
	pairs  map[*pair]bool
	silent bool // of new connections
	refuse bool
	closed bool
	shape  shape
}

// pair is one connection with its continuation to the target.
type pair struct {
	near, far net.Conn

	over chan struct{} // closed when the pair is cut

	mu     sync.Mutex // guards all below
	opened *sync.Cond // open has changed
	open   bool       // data is forwarded
	cut    bool
	shape  shape
}

// New returns a proxy that forwards to target until the test ends. Where that
// is not known yet, it is "" and told by [Proxy.Target].
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

// Target sets where connections that are made from now on lead.
func (p *Proxy) Target(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

// Standing counts the connections that stand.
func (p *Proxy) Standing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pairs)
}

// Accepted counts the connections that were ever made to the proxy, refused
// ones too.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

// Pass heals: everything is forwarded again, also what was held back.
func (p *Proxy) Pass() {
	p.delay.Store(0)
	p.form(shape{})
	p.set(false, false, true)
}

// Delay lets what is sent to the target from now on arrive d later, in its
// order; answers come at once. So every call over the proxy takes d longer.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

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
		p.accepted.Add(1)
		p.running.Go(func() { p.forward(near) })
	}
}

func (p *Proxy) forward(near net.Conn) {
	target, refused := p.leads()
	if refused {
		reset(near)
		return
	}
	far, err := net.Dial("tcp", target)
	if err != nil {
		reset(near)
		return
	}
	c := &pair{near: near, far: far, over: make(chan struct{})}
	c.opened = sync.NewCond(&c.mu)
	p.mu.Lock()
	if p.refuse || p.closed {
		p.mu.Unlock()
		c.end()
		return
	}
	c.open, c.shape = !p.silent, p.shape
	p.pairs[c] = true
	p.mu.Unlock()

	var all sync.WaitGroup
	late := make(chan chunk, 1024) // from near, until it is due
	all.Go(func() { defer close(late); c.read(late, &p.delay) })
	all.Go(func() { c.write(late) })
	all.Go(func() { c.copy(near, far) })
	all.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

func (p *Proxy) leads() (target string, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target, p.refuse
}

// chunk is something to be forwarded at its time.
type chunk struct {
	data []byte
	due  time.Time
}

// read takes what comes from near and gives it a time; it ends the pair when
// near does.
func (c *pair) read(late chan<- chunk, delay *atomic.Int64) {
	defer c.end()
	for {
		b := make([]byte, 32<<10)
		n, err := c.near.Read(b)
		if n > 0 {
			late <- chunk{b[:n], time.Now().Add(time.Duration(delay.Load()))}
		}
		if err != nil {
			return
		}
	}
}

// write forwards to far what is due, and takes the rest when the pair ends.
func (c *pair) write(late <-chan chunk) {
	for b := range late {
		if !c.until(b.due) || !c.pass() {
			continue
		}
		data, last := c.allowed(b.data, up)
		if _, err := c.far.Write(data); err != nil || last {
			c.end()
		}
	}
}

// until waits for a moment; it returns false when the pair was cut before.
func (c *pair) until(due time.Time) bool {
	select {
	case <-time.After(time.Until(due)):
		return true
	case <-c.over:
		return false
	}
}

// copy forwards from far to near and ends the pair when it ends.
func (c *pair) copy(to io.Writer, from io.Reader) {
	defer c.end()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if !c.pass() || !c.slices(to, b[:n]) {
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
	if !c.cut {
		c.cut = true
		close(c.over)
	}
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
