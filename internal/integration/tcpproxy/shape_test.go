package tcpproxy_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// come reads until the end and returns how many bytes came.
func (c *client) come() (int, error) {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := io.Copy(io.Discard, c.in)
	return int(n), err
}

func TestLimitsResetInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit func(*tcpproxy.Proxy)
	}{
		{"of what goes up", func(p *tcpproxy.Proxy) { p.LimitUp(1000) }},
		{"of what comes down", func(p *tcpproxy.Proxy) { p.LimitDown(1000) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tcpproxy.New(t, "")
			p.Target(echo(t))
			before := dial(t, p)
			before.send() // what went before does not count
			if err := before.answered(30 * time.Second); err != nil {
				t.Fatal(err)
			}
			tt.limit(p)
			for name, c := range map[string]*client{"that stood": before, "that is new": dial(t, p)} {
				io.WriteString(c, strings.Repeat("x", 5000))
				n, err := c.come()
				if n > 1000 || !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("over a connection %s came %d bytes and %v, want at most 1000 and a reset", name, n, err)
				}
			}
			p.Pass()
			c := dial(t, p)
			c.send()
			if err := c.answered(30 * time.Second); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestSliceTakesItsTime(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	p.Slice(2, 500*time.Millisecond)
	c := dial(t, p)
	began := time.Now()
	c.send() // six bytes
	if err := c.answered(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("three pieces took %s, two waits are a second", took)
	}
}

func TestStandingCountsConnections(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	c := dial(t, p)
	c.send()
	if err := c.answered(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n := p.Standing(); n != 1 {
		t.Errorf("%d connections stand, want 1", n)
	}
	p.Cut()
	for began := time.Now(); p.Standing() != 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("a connection stands after the cut")
		}
	}
}

func TestRefusing(t *testing.T) {
	if c, err := net.Dial("tcp", tcpproxy.Refusing(t, "127.0.0.1")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the connection is %v with error %v, want it refused", c, err)
	}
}

func TestUnanswered(t *testing.T) {
	c, err := net.DialTimeout("tcp", tcpproxy.Unanswered(t, "127.0.0.1"), 2*time.Second)
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("the connection is %v with error %v, want no answer in 2 s", c, err)
	}
}
