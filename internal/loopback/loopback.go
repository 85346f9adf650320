// Package loopback finds addresses for processes that a test or an example
// starts, kills and starts again: nobody else is given them in between.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// everybodys is the loopback address that each system has, and that all other
// sockets are bound to.
const everybodys = "127.0.0.1"

// Host returns an address of this machine's own that hardly anybody else has, as
// there are sixteen million. It is 127.0.0.1 on systems that have only that one.
func Host() string {
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		return everybodys
	}
	l.Close()
	return host
}

// Addr returns a host:port at which nobody listens, at a [Host] of its own. The
// port is below those that systems give to outgoing connections: where all hosts
// are one, a connection could otherwise have it by the time it is needed again.
func Addr() (string, error) {
	var failed error
	for range 100 {
		host := Host()
		addr := fmt.Sprintf("%s:%d", host, 10_000+rand.IntN(22_000))
		if host != everybodys {
			// It is not tried out: a process that is started meanwhile has a copy of
			// the socket until it executes its program, and would listen here after
			// this one has ceased to.
			return addr, nil
		}
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
		failed = err
	}
	return "", errors.Join(errors.New("loopback: no port is free"), failed)
}
