package fairhttp_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// together makes n calls at the same time and again, rounds times.
func together(t *testing.T, client *http.Client, arrived *meeting, n, rounds int) {
	t.Helper()
	for range rounds {
		arrived.expect(n)
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				resp, err := client.Get("mesh://orders/")
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			})
		}
		all.Wait()
	}
}

// meeting holds handlers until all that are expected have come.
type meeting struct {
	mu      sync.Mutex
	missing int
	all     chan struct{}
}

func (m *meeting) expect(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missing, m.all = n, make(chan struct{})
}

func (m *meeting) arrive() {
	m.mu.Lock()
	all := m.all
	if m.missing--; m.missing == 0 {
		close(all)
	}
	m.mu.Unlock()
	<-all
}

// H17: an instance's idle pool fits concurrency: net/http's two connections
// per host would make nearly every call dial.
func TestH17IdlePoolFitsConcurrency(t *testing.T) {
	const n = 24
	for _, c := range []struct {
		name string
		base http.RoundTripper
	}{{"no base", nil}, {"a base without a word on it", &http.Transport{}}, {"a base with a low limit over all hosts", &http.Transport{MaxIdleConns: 3}}} {
		t.Run(c.name, func(t *testing.T) {
			var m meeting
			s := serve(t, func(http.ResponseWriter, *http.Request) { m.arrive() })
			orders := newService(t, s.addr())
			client, _ := orders.client(t, fairhttp.Config{}, c.base)
			together(t, client, &m, n, 5)
			// A call may come before net/http has put the connection of the one before
			// back. With room for two, each round would dial nearly as many as there are
			// calls.
			if got := s.connections.Load(); got < n || got > n+n/4 {
				t.Errorf("%d connections for 5 times %d calls at once, want %d", got, n, n)
			}
		})
	}
}

// H17: what a caller configured for the pool is respected.
func TestMaxIdleAndMaxConns(t *testing.T) {
	t.Run("MaxIdle", func(t *testing.T) {
		var m meeting
		s := serve(t, func(http.ResponseWriter, *http.Request) { m.arrive() })
		orders := newService(t, s.addr())
		client, _ := orders.client(t, fairhttp.Config{MaxIdle: 1}, nil)
		together(t, client, &m, 8, 1)
		until(t, "one connection is kept", func() bool { return s.open.Load() == 1 })
	})
	t.Run("MaxConns", func(t *testing.T) {
		s := serve(t, say("hello"))
		orders := newService(t, s.addr())
		client, _ := orders.client(t, fairhttp.Config{MaxConns: 2}, nil)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() { fetch(t, client, "GET", "mesh://orders/", "") })
		}
		all.Wait()
		if n := s.connections.Load(); n > 2 {
			t.Errorf("%d connections, 2 are allowed", n)
		}
	})
	t.Run("IdleTimeout", func(t *testing.T) {
		s := serve(t, say("hello"))
		orders := newService(t, s.addr())
		client, _ := orders.client(t, fairhttp.Config{IdleTimeout: time.Millisecond}, nil)
		fetch(t, client, "GET", "mesh://orders/", "")
		until(t, "the idle connection is closed", func() bool { return s.open.Load() == 0 })
	})
}

// H17: the connections to an instance go when it does: idle ones at once,
// others with their calls. The caller's own transport is left alone.
func TestH17ConnectionsLeaveWithTheInstance(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			hold, release := make(chan struct{}), make(chan struct{})
			h := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/hold" {
					w.(http.Flusher).Flush()
					hold <- struct{}{}
					<-release
					io.WriteString(w, "whole")
				}
			}
			leaving, staying := serve(t, h, w.server), serve(t, h, w.server)
			orders := newService(t, staying.addr())
			registration := orders.add(t, leaving.addr())
			client, _ := orders.client(t, w.client, nil)
			until(t, "both are called", func() bool {
				fetch(t, client, "GET", "mesh://orders/", "")
				return leaving.executions.Load() > 0 && staying.executions.Load() > 0
			})

			body := make(chan string) // of a call that the leaving one holds
			for range 2 {
				go func() { // ends with the test
					resp, err := client.Get("mesh://orders/hold")
					if err != nil {
						body <- err.Error()
						return
					}
					defer resp.Body.Close()
					b, _ := io.ReadAll(resp.Body)
					body <- string(b)
				}()
				<-hold
			}
			registration.Close(t.Context())
			until(t, "only the connection of the held call is left", func() bool { return leaving.open.Load() == 1 })
			close(release)
			for range 2 {
				if b := <-body; b != "whole" {
					t.Errorf("a call in flight ended with %q", b)
				}
			}
			until(t, "no connection is left", func() bool { return leaving.open.Load() == 0 })
			if staying.open.Load() == 0 {
				t.Error("the instance that stays lost its connections too")
			}
		})
	}
}

// H19: CloseIdleConnections of the client reaches every instance and the base.
func TestH19CloseIdleConnections(t *testing.T) {
	a, b, elsewhere := serve(t, say("a")), serve(t, say("b")), serve(t, say("elsewhere"))
	orders := newService(t, a.addr(), b.addr())
	own := &http.Transport{}
	for _, base := range []http.RoundTripper{own, idleClosing{own}} {
		client, _ := orders.client(t, fairhttp.Config{}, base)
		for range 2 {
			fetch(t, client, "GET", "mesh://orders/", "")
		}
		fetch(t, client, "GET", elsewhere.URL, "")
		if a.open.Load() == 0 || b.open.Load() == 0 || elsewhere.open.Load() == 0 {
			t.Fatal("no connections to begin with")
		}
		client.CloseIdleConnections()
		until(t, "all connections are closed", func() bool { return a.open.Load()+b.open.Load()+elsewhere.open.Load() == 0 })
	}
}

// idleClosing is a base that is no *http.Transport and passes the method on.
type idleClosing struct{ *http.Transport }

// A connection is not used beyond its age, so that rotated certificates take
// effect; calls notice nothing.
func TestMaxConnAge(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, say("hello"), w.server)
			orders := newService(t, s.addr())
			w.client.MaxConnAge = time.Millisecond
			client, rt := orders.client(t, w.client, nil)
			until(t, "a second connection is made", func() bool {
				fetch(t, client, "GET", "mesh://orders/", "")
				return s.connections.Load() >= 2
			})
			// The second may have come of age by then, too.
			until(t, "the first one is closed", func() bool { return s.open.Load() <= 1 })
			if rt.State().Renewals == 0 {
				t.Errorf("state %+v tells of no renewal", rt.State())
			}
		})
	}
}

// Row 19 of the faults: an HTTP/2 connection that has gone deaf is replaced
// after the first call that timed out on it, without waiting for a ping.
func TestTimedOutHTTP2ConnectionIsReplaced(t *testing.T) {
	of, trust := identity(t, "orders")
	s := serve(t, say("hello"), overTLS(of, true))
	pipe := newDeafPipe(t, s.addr())
	orders := newService(t, pipe.addr())
	client, rt := orders.client(t, fairhttp.Config{TLS: trust}, nil)
	fetch(t, client, "GET", "mesh://orders/", "")

	pipe.deafen()
	failed := 0
	until(t, "a call succeeds again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
		resp, err := client.Do(req)
		if err != nil {
			failed++
			return false
		}
		resp.Body.Close()
		return true
	})
	// The transport may not be replaced in its first second, which is four calls.
	if rt.State().Renewals != 1 || failed > 12 {
		t.Errorf("%d calls failed, state %+v; want one renewal", failed, rt.State())
	}
}

// A slow handler is no deaf connection: while others are answered, its timeout
// costs nobody the connection.
func TestSlowHandlerKeepsTheHTTP2Connection(t *testing.T) {
	of, trust := identity(t, "orders")
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	}, overTLS(of, true))
	orders := newService(t, s.addr())
	client, rt := orders.client(t, fairhttp.Config{TLS: trust}, nil)
	fetch(t, client, "GET", "mesh://orders/", "")
	for began := time.Now(); time.Since(began) < 2*time.Second; {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		slow := make(chan error, 1)
		go func() { // ends with its context
			req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/slow", nil)
			_, err := client.Do(req)
			slow <- err
		}()
		for done := false; !done; {
			fetch(t, client, "GET", "mesh://orders/", "")
			select {
			case <-slow:
				done = true
			default:
			}
		}
		cancel()
	}
	if n := s.connections.Load(); n != 1 || rt.State().Renewals != 0 {
		t.Errorf("%d connections, state %+v; want one that stays", n, rt.State())
	}
}

// deafPipe forwards connections, until it keeps those it has open and passes
// nothing on. Later ones work.
type deafPipe struct {
	net.Listener
	mu   sync.Mutex
	deaf []*atomic.Bool
}

func newDeafPipe(t *testing.T, to string) *deafPipe {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &deafPipe{Listener: l}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		l.Close()
		cancel()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			deaf := new(atomic.Bool)
			p.mu.Lock()
			p.deaf = append(p.deaf, deaf)
			p.mu.Unlock()
			context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			running.Go(func() { pass(out, in, deaf) })
			running.Go(func() { pass(in, out, deaf) })
		}
	})
	return p
}

func pass(to, from net.Conn, deaf *atomic.Bool) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 && !deaf.Load() {
			to.Write(buf[:n])
		}
		if err != nil {
			if !deaf.Load() {
				to.Close()
			}
			return
		}
	}
}

func (p *deafPipe) addr() string { return p.Addr().String() }

func (p *deafPipe) deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.deaf {
		d.Store(true)
	}
}

// Prewarm: connections are there before the first call and are used by it.
func TestPrewarm(t *testing.T) {
	t.Run("an instance gets its connections before its calls", func(t *testing.T) {
		for _, w := range wires(t) {
			t.Run(w.name, func(t *testing.T) {
				first, second := serve(t, say("1"), w.server), serve(t, say("2"), w.server)
				orders := newService(t, first.addr())
				w.client.Prewarm = 3
				client, _ := orders.client(t, w.client, nil)
				fetch(t, client, "GET", "mesh://orders/", "") // begins to follow the service
				orders.add(t, second.addr())
				until(t, "three connections are dialled", func() bool { return second.connections.Load() == 3 })
				if n := second.executions.Load(); n != 0 {
					t.Errorf("%d requests were sent for it", n)
				}
				for range 4 {
					fetch(t, client, "GET", "mesh://orders/", "")
				}
				if n := second.connections.Load(); n != 3 || second.executions.Load() == 0 {
					t.Errorf("%d connections after %d calls, want the 3 that were there", n, second.executions.Load())
				}
			})
		}
	})
	t.Run("only those that are called get any", func(t *testing.T) {
		a, b, c := serve(t, say("1")), serve(t, say("2")), serve(t, say("3"))
		orders := newServiceWith(t, []transport.Option{transport.WithBalancing(balancer.Balancing{Subset: balancer.Subset{Size: 1}})}, a.addr(), b.addr(), c.addr())
		client, _ := orders.client(t, fairhttp.Config{Prewarm: 2}, nil)
		fetch(t, client, "GET", "mesh://orders/", "")
		connections := func() int64 { return a.connections.Load() + b.connections.Load() + c.connections.Load() }
		until(t, "two connections are dialled", func() bool { return connections() >= 2 })
		for range 4 {
			fetch(t, client, "GET", "mesh://orders/", "")
		}
		if n := connections(); n > 3 { // the first call may have been before them
			t.Errorf("%d connections, to %d, %d and %d", n, a.connections.Load(), b.connections.Load(), c.connections.Load())
		}
	})
	t.Run("Close does not leave them", func(t *testing.T) {
		s := serve(t, say("1"))
		orders := newService(t, s.addr())
		client, rt := orders.client(t, fairhttp.Config{Prewarm: 4}, nil)
		fetch(t, client, "GET", "mesh://orders/", "")
		until(t, "four connections are dialled", func() bool { return s.connections.Load() >= 4 })
		rt.Close()
		until(t, "all are closed", func() bool { return s.open.Load() == 0 })
	})
}

// A pool that is too small is told of once, whoever configured it.
func TestChurnIsToldOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		base func() http.RoundTripper
		warn bool
	}{
		{"a base that keeps two", func() http.RoundTripper { return &http.Transport{MaxIdleConnsPerHost: 2} }, true},
		{"a shared base that keeps two", func() http.RoundTripper { return wrapped{&http.Transport{}} }, true},
		{"a base that keeps enough", func() http.RoundTripper { return &http.Transport{MaxIdleConnsPerHost: 64} }, false},
		{"no base", func() http.RoundTripper { return nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m meeting
			s := serve(t, func(http.ResponseWriter, *http.Request) { m.arrive() })
			orders := newService(t, s.addr())
			var log lockedBuffer
			client, rt := orders.client(t, fairhttp.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, c.base())
			together(t, client, &m, 20, 120)
			if told := strings.Count(log.String(), "level=WARN"); told != 1 && c.warn || told != 0 && !c.warn {
				t.Errorf("warned %d times: %s", told, log.String())
			}
			if state := rt.State(); state.Churning != c.warn || state.Attempts != 2400 {
				t.Errorf("state %+v", state)
			}
			client.CloseIdleConnections()
		})
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
