package tcpproxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/integration/tcpproxy"
)

// echo listens and sends back each line that it gets.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *tcpproxy.Proxy) *client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send() {
	c.t.Helper()
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) answered(within time.Duration) error {
	c.SetReadDeadline(time.Now().Add(within))
	_, err := c.in.ReadString('\n')
	return err
}

func TestBlackholeIsSilentUntilItPasses(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	c := dial(t, p)
	c.send()
	if err := c.answered(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.Blackhole()
	c.send()
	if err := c.answered(time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a black hole came %v, want nothing", err)
	}
	fresh := dial(t, p)
	fresh.send()
	if err := fresh.answered(time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a black hole a new connection has %v, want nothing", err)
	}
	p.Pass()
	for _, c := range []*client{c, fresh} {
		if err := c.answered(30 * time.Second); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

func TestFreezeLeavesNewConnectionsAlone(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	c := dial(t, p)
	c.send()
	if err := c.answered(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	c.send()
	if err := c.answered(time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a frozen connection has %v, want nothing", err)
	}
	fresh := dial(t, p)
	fresh.send()
	if err := fresh.answered(30 * time.Second); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func TestCutEndsConnectionsUntilItPasses(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	c := dial(t, p)
	c.send()
	if err := c.answered(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := c.answered(30 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a cut connection has %v, want its end", err)
	}
	if fresh, err := net.Dial("tcp", p.Addr()); err == nil { // else the end came even sooner
		defer fresh.Close()
		fresh.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := fresh.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a new connection has %v, want its end", err)
		}
	}
	p.Pass()
	fresh := dial(t, p)
	fresh.send()
	if err := fresh.answered(30 * time.Second); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDelayKeepsTheOrderAndDelaysOnlyWhatComesAfter(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	c := dial(t, p)
	const d = 3 * time.Second
	p.Delay(d)
	began := time.Now()
	for _, line := range []string{"1\n", "2\n", "3\n"} {
		if _, err := io.WriteString(c, line); err != nil {
			t.Fatal(err)
		}
	}
	c.SetReadDeadline(began.Add(30 * time.Second))
	for _, want := range []string{"1\n", "2\n", "3\n"} {
		if got, err := c.in.ReadString('\n'); err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if took := time.Since(began); took < d || took > 2*d { // not one after the other
		t.Errorf("three lines took %s through a delay of %s", took, d)
	}
	p.Pass()
	c.send()
	if err := c.answered(30 * time.Second); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAcceptedCountsRefusedConnectionsToo(t *testing.T) {
	p := tcpproxy.New(t, echo(t))
	dial(t, p)
	p.Cut()
	for range 2 {
		if c, err := net.Dial("tcp", p.Addr()); err == nil {
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			c.Read(make([]byte, 1))
			c.Close()
		}
	}
	if got := p.Accepted(); got != 3 {
		t.Errorf("Accepted() = %d after three connections", got)
	}
}
