package tcpproxy

import (
	"io"
	"math"
	"time"
)

// shape is what a proxy does to the data of a connection.
type shape struct {
	limited [2]bool
	left    [2]int // bytes, by direction, until the connection is reset
	piece   int    // of what comes from the target; 0: no pieces
	every   time.Duration
}

// The directions of data: to the target, and from it.
const (
	up = iota
	down
)

// LimitUp lets n more bytes of each connection, and of each new one, go to the
// target; with them the connection is reset.
func (p *Proxy) LimitUp(n int) { p.limit(up, n) }

// LimitDown is LimitUp for what comes from the target.
func (p *Proxy) LimitDown(n int) { p.limit(down, n) }

func (p *Proxy) limit(direction, n int) {
	var s shape
	s.limited[direction], s.left[direction] = true, n
	p.form(s)
}

// Slice lets what comes from the target arrive in pieces of some bytes, one
// each so often.
func (p *Proxy) Slice(bytes int, every time.Duration) {
	p.form(shape{piece: bytes, every: every})
}

// form gives a shape to all connections, in place of the last one.
func (p *Proxy) form(s shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shape = s
	for c := range p.pairs {
		c.mu.Lock()
		c.shape = s
		c.mu.Unlock()
	}
}

// allowed takes data off what is left of a direction. It returns what may go
// on, and whether that is the last.
func (c *pair) allowed(data []byte, direction int) (part []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shape.limited[direction] {
		return data, false
	}
	left := &c.shape.left[direction]
	n := min(len(data), *left)
	*left -= n
	return data[:n], *left == 0
}

// slices writes what comes from the target, and returns false when there is to
// be no more.
func (c *pair) slices(to io.Writer, data []byte) bool {
	data, last := c.allowed(data, down)
	for len(data) > 0 {
		size, wait := c.slice()
		n := min(size, len(data))
		if _, err := to.Write(data[:n]); err != nil {
			return false
		}
		data = data[n:]
		if wait > 0 && !c.until(time.Now().Add(wait)) {
			return false
		}
	}
	return !last
}

func (c *pair) slice() (size int, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shape.piece == 0 {
		return math.MaxInt, 0
	}
	return c.shape.piece, c.shape.every
}
