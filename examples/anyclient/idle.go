package main

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

// idle keeps connections that are not in use, by address. The zero value keeps
// none yet.
type idle struct {
	mu    sync.Mutex // guards conns
	conns map[string][]*conn
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
	if _, replied := err.(replyError); stop() && (err == nil || replied) {
		i.mu.Lock()
		if i.conns == nil {
			i.conns = map[string][]*conn{}
		}
		i.conns[addr] = append(i.conns[addr], c)
		i.mu.Unlock()
	} else {
		c.Close()
	}
	return reply, err
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
func (i *idle) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, conns := range i.conns {
		for _, c := range conns {
			c.Close()
		}
	}
	i.conns = nil
}
