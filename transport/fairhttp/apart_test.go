package fairhttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// ends are the client's ends of the connections that a server has seen requests on,
// by the priority of these.
type ends struct {
	mu  sync.Mutex
	all map[string]map[string]bool
}

func (e *ends) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := r.Header.Get(fairhttp.Priority)
	if e.all == nil {
		e.all = map[string]map[string]bool{}
	}
	if e.all[p] == nil {
		e.all[p] = map[string]bool{}
	}
	e.all[p][r.RemoteAddr] = true
}

func bulkRequest(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(transport.WithCall(t.Context(), sheddable), method, "mesh://orders"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Sheddable calls share no connection with others, and those there are no sooner than
// the first of them.
func TestSheddableCallsHaveConnectionsOfTheirOwn(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			var seen ends
			s := serve(t, seen.ServeHTTP, w.server)
			orders := newService(t, s.addr())
			client, rt := orders.client(t, w.client, nil)
			vital := transport.WithCall(t.Context(), critical)
			for range 5 {
				fetch(t, client, "GET", "mesh://orders/", "")
				req, _ := http.NewRequestWithContext(vital, "GET", "mesh://orders/", nil)
				send(t, client, req)
			}
			if n := s.connections.Load(); n != 1 {
				t.Fatalf("%d connections before any sheddable call", n)
			}
			for range 5 {
				send(t, client, bulkRequest(t, "GET", "/", nil))
				fetch(t, client, "GET", "mesh://orders/", "")
			}
			if n := s.connections.Load(); n != 2 {
				t.Errorf("%d connections, want one of each", n)
			}
			for end := range seen.all["sheddable"] {
				if seen.all[""][end] || seen.all["critical"][end] {
					t.Errorf("a connection is shared: %v", seen.all)
				}
			}
			if got := rt.State(); got.Instances != 1 || got.Attempts != 20 || got.Connections != 2 {
				t.Errorf("the state is %+v", got)
			}
			client.CloseIdleConnections()
			until(t, "all connections are closed", func() bool { return s.open.Load() == 0 })
		})
	}
}

// A sheddable upload that nobody reads fills the window of its HTTP/2 connection, and
// no other call's.
func TestAStalledUploadHoldsUpNoOtherCall(t *testing.T) {
	stalled, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logs" {
			close(stalled)
			<-release
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	}, overH2C, func(s *server) {
		// As much for one stream as for all, so that one can take it all.
		s.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 64 << 10}
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}, nil)
	ctx, cancel := context.WithCancel(transport.WithCall(t.Context(), sheddable))
	var upload sync.WaitGroup
	sent := &counter{r: strings.NewReader(strings.Repeat("x", 1<<20))}
	upload.Go(func() {
		req, _ := http.NewRequestWithContext(ctx, "POST", "mesh://orders/logs", sent)
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
		}
	})
	<-stalled
	until(t, "the window is full", func() bool { return sent.read() >= 64<<10 })
	order := strings.Repeat("sheep", 1<<10)
	if _, body := fetch(t, client, "POST", "mesh://orders/", order); body != order {
		t.Errorf("a call was answered %.20q", body)
	}
	cancel()
	close(release)
	upload.Wait()
}

// counter counts what is read of a reader.
type counter struct {
	mu sync.Mutex
	r  io.Reader
	n  int
}

func (c *counter) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func (c *counter) read() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Sheddable calls that hold all connections which they may have leave others theirs.
func TestSheddableCallsHaveALimitOfTheirOwn(t *testing.T) {
	hold, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logs" {
			hold <- struct{}{}
			<-release
		}
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{MaxConns: 1}, nil)
	var bulk sync.WaitGroup
	for range 2 {
		bulk.Go(func() { send(t, client, bulkRequest(t, "GET", "/logs", nil)) })
	}
	<-hold // the second waits for the connection of the first
	fetch(t, client, "GET", "mesh://orders/", "")
	if n := s.connections.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	close(release)
	<-hold
	bulk.Wait()
}

// The connections for sheddable calls go with the instance, as all others.
func TestConnectionsApartLeaveWithTheInstance(t *testing.T) {
	leaving, staying := serve(t, say("hello")), serve(t, say("hello"))
	orders := newService(t, staying.addr())
	registration := orders.add(t, leaving.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	until(t, "both have two connections", func() bool {
		for range 2 { // in turn
			fetch(t, client, "GET", "mesh://orders/", "")
		}
		for range 2 {
			send(t, client, bulkRequest(t, "GET", "/", nil))
		}
		return leaving.open.Load() == 2 && staying.open.Load() == 2
	})
	if err := registration.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	until(t, "those to the instance that left are closed", func() bool { return leaving.open.Load() == 0 })
	if n := staying.open.Load(); n != 2 {
		t.Errorf("%d connections to the other", n)
	}
}

// A base that is not ours to clone is shared by all calls.
func TestSheddableCallsOverASharedBase(t *testing.T) {
	s := serve(t, say("hello"))
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, idleClosing{new(http.Transport)})
	fetch(t, client, "GET", "mesh://orders/", "")
	send(t, client, bulkRequest(t, "GET", "/", nil))
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections, want the one of the base", n)
	}
	client.CloseIdleConnections()
}

// Few idle connections are kept for sheddable calls, and not for long, whatever the
// pool of others allows; what is less stays.
func TestIdleConnectionsApart(t *testing.T) {
	for _, c := range []struct {
		name   string
		config fairhttp.Config
		most   int64
	}{{"OfTheDefault", fairhttp.Config{}, 8}, {"OfLess", fairhttp.Config{MaxIdle: 2}, 2}} {
		t.Run(c.name, func(t *testing.T) {
			var m meeting
			s := serve(t, func(http.ResponseWriter, *http.Request) { m.arrive() })
			orders := newService(t, s.addr())
			client, _ := orders.client(t, c.config, nil)
			const n = 16
			m.expect(n)
			var all sync.WaitGroup
			for range n {
				all.Go(func() { send(t, client, bulkRequest(t, "GET", "/", nil)) })
			}
			all.Wait()
			until(t, "few connections are kept", func() bool { return s.open.Load() == c.most })
		})
	}
}
