package main

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
)

// mostIdle bounds the connections that are kept for one address.
const mostIdle = 16

// idle keeps connections that are not in use, by address. The zero value keeps
// none: those of listed addresses are kept.
type idle struct {
	mu    sync.Mutex         // guards conns
	conns map[string][]*conn // has the listed addresses, also those without
}

// list closes the connections to addresses that are not listed any more.
func (i *idle) list(nodes []*balancer.Node) {
	i.mu.Lock()
	defer i.mu.Unlock()
	left := i.conns
	i.conns = map[string][]*conn{}
	for _, n := range nodes {
		addr := n.Endpoint(protocol)
		i.conns[addr] = left[addr]
		delete(left, addr)
	}
	for _, conns := range left {
		for _, c := range conns {
			c.Close()
		}
	}
}

type conn struct {
	net.Conn
	r *bufio.Reader
}

// dialError says that no connection came about.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// exchange sends a command and reads the reply. An idle connection may turn out
// to be closed at the other end; then a new one shows how things stand.
func (i *idle) exchange(ctx context.Context, addr string, args []string) (string, error) {
	if c := i.take(addr); c != nil {
		reply, err := i.use(ctx, addr, c, args)
		if _, replied := err.(replyError); err == nil || replied || ctx.Err() != nil {
			return reply, err
		}
	}
	var d net.Dialer
	fresh, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", &dialError{err}
	}
	return i.use(ctx, addr, &conn{fresh, bufio.NewReader(fresh)}, args)
}

// use sends a command over a connection, which is kept if it is still good.
func (i *idle) use(ctx context.Context, addr string, c *conn, args []string) (reply string, err error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	if err = writeCommand(c, args); err == nil {
		reply, err = readReply(c.r)
	}
	if _, replied := err.(replyError); !stop() || err != nil && !replied || !i.keep(addr, c) {
		c.Close()
	}
	return reply, err
}

// keep reports whether there is room for a connection.
func (i *idle) keep(addr string, c *conn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	conns, listed := i.conns[addr]
	if !listed || len(conns) >= mostIdle {
		return false
	}
	i.conns[addr] = append(conns, c)
	return true
}

func (i *idle) take(addr string) *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	conns := i.conns[addr]
	if len(conns) == 0 {
		return nil
	}
	last := conns[len(conns)-1]
	i.conns[addr] = conns[:len(conns)-1]
	return last
}

// close closes all that are idle.
func (i *idle) close() { i.list(nil) }
