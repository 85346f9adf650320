package tcpproxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// Refusing returns an address of host at which connections are refused until the
// test ends: the port is taken, and nobody listens.
func Refusing(t testing.TB, host string) (addr string) {
	t.Helper()
	_, addr = bound(t, host)
	return addr
}

// Unanswered returns an address of host at which nobody answers to a connection
// that is asked for, not even with a refusal: the backlog is full.
func Unanswered(t testing.TB, host string) (addr string) {
	t.Helper()
	fd, addr := bound(t, host)
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		c, err := net.DialTimeout("tcp", addr, 500*time.Millisecond)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return addr
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the backlog does not fill")
	return ""
}

// bound returns a socket that has a port of host until the test ends.
func bound(t testing.TB, host string) (fd int, addr string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: netip.MustParseAddr(host).As4()}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, fmt.Sprintf("%s:%d", host, name.(*syscall.SockaddrInet4).Port)
}
