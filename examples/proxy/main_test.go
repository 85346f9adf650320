package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/internal/program"
	"github.com/fairlead-go/fairlead/internal/loopback"
)

// patience bounds every wait; on an idle machine none takes a second.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // for the program: the race detector waits a second at its end
	program.Main(m, main)
}

// proxy is the program; it dies with the test.
type proxy struct {
	addr string
	said bytes.Buffer // to be read after end
	cmd  *exec.Cmd
}

// start runs the program and waits until it listens.
func start(t *testing.T, protocol string, upstreams ...string) *proxy {
	t.Helper()
	addr, err := loopback.Addr()
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: addr, cmd: program.Command(t.Context(), "-listen", addr, "-protocol", protocol, "-to", strings.Join(upstreams, ","))}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return p
		}
		if time.Since(begun) > patience {
			t.Fatal(err)
		}
	}
}

// ended waits until the program has ended by itself, and tells a failure.
func (p *proxy) ended(t *testing.T) {
	t.Helper()
	dead := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer dead.Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, &p.said)
	}
}

func (p *proxy) terminate(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// gone waits until nobody listens any more.
func (p *proxy) gone(t *testing.T) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", p.addr)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			conn.Close()
		}
		if time.Since(begun) > patience {
			t.Fatalf("somebody still listens (%v)", err)
		}
	}
}

func TestACommandLineIsRefusedWithFieldAndRule(t *testing.T) {
	for _, c := range []struct{ protocol, listen, to, want string }{
		{"http3", "127.0.0.1:0", "127.0.0.1:1", `protocol "http3": allowed are http1, http2 and grpc`},
		{"grpc", "127.0.0.1:0", "", `Instance.Addr "" is invalid: allowed is host:port`},
		{"grpc", "127.0.0.1:0", "unix:here", `"unix:here" is invalid: allowed is unix:`},
		{"grpc", "here", "127.0.0.1:1", "listen tcp: address here"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		said, err := program.Command(ctx, "-protocol", c.protocol, "-listen", c.listen, "-to", c.to).CombinedOutput()
		if _, exited := errors.AsType[*exec.ExitError](err); !exited || !strings.Contains(string(said), c.want) {
			t.Errorf("%+v: it ended with %v and said %s", c, err, said)
		}
	}
}
