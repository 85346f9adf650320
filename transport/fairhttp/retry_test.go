package fairhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

// What is made again by default, over each protocol.
func TestDefaultRetries(t *testing.T) {
	declared := func(yes bool) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context {
			return transport.WithCall(ctx, transport.Idempotent(yes))
		}
	}
	for _, w := range wires(t) {
		for _, c := range []struct {
			name, method, body string
			call               func(context.Context) context.Context
			executions         int // of a call to two servers that both drop the connection after executing
		}{
			{name: "GET", method: "GET", executions: 2},
			{name: "HEAD", method: "HEAD", executions: 2},
			{name: "OPTIONS", method: "OPTIONS", executions: 2},
			{name: "POST", method: "POST", body: "b", executions: 1},
			{name: "PUT", method: "PUT", body: "b", executions: 1},
			{name: "DELETE", method: "DELETE", executions: 1},
			{name: "POST declared idempotent", method: "POST", body: "b", call: declared(true), executions: 2},
			{name: "GET declared not idempotent", method: "GET", call: declared(false), executions: 1},
		} {
			t.Run(w.name+" "+c.name+" lost", func(t *testing.T) {
				a, b := serve(t, abort, w.server), serve(t, abort, w.server)
				orders := newService(t, a.addr(), b.addr())
				w.client.Logger = nil
				client, _ := orders.client(t, w.client, nil)
				ctx := t.Context()
				if c.call != nil {
					ctx = c.call(ctx)
				}
				req, _ := http.NewRequestWithContext(ctx, c.method, "mesh://orders/", strings.NewReader(c.body))
				_, err := client.Do(req)
				e, ok := errors.AsType[*transport.Error](err)
				if !ok || !e.MaybeExecuted || e.Class != transport.Lost {
					t.Errorf("error %v, want one that says it may have been executed", err)
				}
				// With two instances the third attempt of an idempotent call goes
				// to one of them again.
				got := int(a.executions.Load() + b.executions.Load())
				if c.executions == 1 && got != 1 || c.executions > 1 && (got != 3 || a.executions.Load() == 0 || b.executions.Load() == 0) {
					t.Errorf("%d executions on one and %d on the other", a.executions.Load(), b.executions.Load())
				}
			})
			t.Run(w.name+" "+c.name+" refused by one", func(t *testing.T) {
				a := serve(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, w.server)
				orders := newService(t, refusing(t), a.addr())
				client, _ := orders.client(t, w.client, nil)
				for range 4 {
					fetch(t, client, c.method, "mesh://orders/", c.body)
				}
				if n := a.executions.Load(); n != 4 {
					t.Errorf("%d executions of 4 calls", n)
				}
			})
		}
	}
}

// A server that is killed with calls in flight costs no GET, and no POST more
// than the one execution it may have had.
func TestKilledServer(t *testing.T) {
	for _, w := range wires(t) {
		t.Run(w.name, func(t *testing.T) {
			const callers = 16
			var once sync.Once
			executing := make(chan struct{}) // the victim holds calls
			death := make(chan struct{})
			victim := serve(t, func(w http.ResponseWriter, r *http.Request) {
				once.Do(func() { close(executing) })
				<-death
				panic(http.ErrAbortHandler)
			}, w.server)
			executions := new(sync.Map)
			count := func(w http.ResponseWriter, r *http.Request) {
				n, _ := executions.LoadOrStore(r.Header.Get("Call"), new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
			a, b := serve(t, count, w.server), serve(t, count, w.server)
			// Nobody tells the mesh that the victim is gone; the default policy
			// learns it.
			orders := newServiceWith(t, []transport.Option{transport.WithPolicy(balancer.P2CEWMA{})}, victim.addr(), a.addr(), b.addr())
			client, rt := orders.client(t, w.client, nil)

			var calls sync.WaitGroup
			var failed, maybe atomic.Int64
			for caller := range callers {
				calls.Go(func() {
					for i := range 40 {
						method := "GET"
						if caller%2 == 0 {
							method = "POST"
						}
						req, _ := http.NewRequestWithContext(t.Context(), method, "mesh://orders/", strings.NewReader("x"))
						req.Header.Set("Call", fmt.Sprint(caller, "-", i))
						resp, err := client.Do(req)
						if err == nil {
							resp.Body.Close()
							continue
						}
						e, ok := errors.AsType[*transport.Error](err)
						if method == "GET" || !ok || !e.MaybeExecuted {
							failed.Add(1)
							t.Errorf("%s failed: %v", method, err)
						} else {
							maybe.Add(1)
						}
					}
				})
			}
			<-executing
			victim.Listener.Close()
			close(death)
			victim.Config.Close()
			calls.Wait()
			t.Logf("%d POSTs may have been executed by the victim; %+v", maybe.Load(), rt.State())
			if maybe.Load() > callers {
				t.Errorf("%d POSTs failed, %d can have been in flight", maybe.Load(), callers)
			}
			executions.Range(func(call, n any) bool {
				if n := n.(*atomic.Int64).Load(); n != 1 {
					t.Errorf("call %v was executed %d times on the survivors", call, n)
				}
				return true
			})
		})
	}
}

// flaky answers with its address, or executes and drops the connection when
// told to.
func flaky(drop func() bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if drop() {
			abort(w, r)
		}
	}
}

// H5: net/http repeats by itself what is lost on a connection it used before.
// That is counted.
func TestH5HiddenReplaysAreCounted(t *testing.T) {
	for _, c := range []struct {
		name string
		base http.RoundTripper
	}{{"own connections", nil}, {"a shared base", wrapped{&http.Transport{}}}} {
		t.Run(c.name, func(t *testing.T) {
			var drop atomic.Bool
			s := serve(t, flaky(func() bool { return drop.Swap(false) }))
			orders := newService(t, s.addr())
			client, rt := orders.client(t, fairhttp.Config{}, c.base)
			fetch(t, client, "GET", "mesh://orders/", "")
			drop.Store(true)
			fetch(t, client, "GET", "mesh://orders/", "")
			if n, executed := rt.State().Replays, s.executions.Load(); n != 1 || executed != 3 {
				t.Errorf("%d replays counted, %d executions of 2 calls; want 1 and 3", n, executed)
			}
			if n := orders.attempts(); n["success"] != 2 || n["lost"] != 0 {
				t.Errorf("attempts by outcome %v: a replay is no attempt", n)
			}
		})
	}
}

// H5: where connections keep being lost, executions stay within the budget of
// calls, net/http's own repetitions included.
func TestH5ExecutionsStayWithinTheBudget(t *testing.T) {
	for name, base := range map[string]http.RoundTripper{"connections of our own": nil, "a wrapped base": wrapped{new(http.Transport)}} {
		t.Run(name, func(t *testing.T) { executionsStayWithinTheBudget(t, base) })
	}
}

func executionsStayWithinTheBudget(t *testing.T, base http.RoundTripper) {
	const calls, callers = 3000, 8
	var turn atomic.Int64
	half := func() bool { return turn.Add(1)%2 == 0 }
	a, b, c := serve(t, flaky(half)), serve(t, flaky(half)), serve(t, flaky(half))
	orders := newService(t, a.addr(), b.addr(), c.addr())
	client, rt := orders.client(t, fairhttp.Config{}, base)
	began := time.Now()
	var all sync.WaitGroup
	var failed atomic.Int64
	for range callers {
		all.Go(func() {
			for range calls / callers {
				resp, err := client.Get("mesh://orders/")
				if err != nil {
					failed.Add(1)
					continue
				}
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	executions := float64(a.executions.Load() + b.executions.Load() + c.executions.Load())
	allowed := 1.2*calls + 10*time.Since(began).Seconds() + 100
	allowed += callers // what was in flight when the first connection was lost
	t.Logf("%v executions of %d calls, %.0f allowed, %d failed, %+v", executions, calls, allowed, failed.Load(), rt.State())
	if executions > allowed {
		t.Errorf("%v executions of %d calls, %.0f are allowed", executions, calls, allowed)
	}
}

// H5: the form that keeps net/http from repeating looks the same to a server.
func TestH5SingleFormLooksTheSame(t *testing.T) {
	var drop atomic.Bool
	seen := make(chan string, 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					var head strings.Builder
					for {
						line, err := r.ReadString('\n')
						if err != nil {
							return
						}
						head.WriteString(line)
						if line == "\r\n" {
							break
						}
					}
					if drop.Swap(false) {
						return
					}
					seen <- head.String()
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
		}
	})
	orders := newService(t, l.Addr().String())
	client, rt := orders.client(t, fairhttp.Config{}, nil)
	t.Cleanup(client.CloseIdleConnections)
	for _, method := range []string{"GET", "OPTIONS"} {
		fetch(t, client, method, "mesh://orders/", "")
		usual := <-seen
		drop.Store(true)
		fetch(t, client, method, "mesh://orders/", "") // replayed, or made again by the mesh
		<-seen
		fetch(t, client, method, "mesh://orders/", "")
		if single := <-seen; single != usual {
			t.Errorf("after a loss a request looks like\n%q\nand usually like\n%q", single, usual)
		}
	}
	if rt.State().Replays != 1 {
		t.Errorf("%d replays, want 1: the second loss was for the mesh", rt.State().Replays)
	}
}

// H9: an upgrade is sent once, although it is a GET: on a connection used
// before too, where net/http would repeat it.
func TestH9UpgradeIsSentOnce(t *testing.T) {
	var drop atomic.Bool
	a := serve(t, flaky(func() bool { return drop.Load() }))
	orders := newService(t, a.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	fetch(t, client, "GET", "mesh://orders/", "") // leaves a connection
	drop.Store(true)
	ctx := transport.WithCall(t.Context(), transport.Idempotent(true)) // nobody can promise that
	req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://orders/", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	_, err := client.Do(req)
	if e, ok := errors.AsType[*transport.Error](err); !ok || !e.MaybeExecuted || e.Attempts != 1 {
		t.Errorf("error %v, want that of one attempt that may have been executed", err)
	}
	if n := a.executions.Load(); n != 2 {
		t.Errorf("%d executions of a GET and an upgrade", n)
	}
}

// H14: an HTTP/2 server that says goodbye between two requests costs none, not
// even a POST.
func TestH14GoAway(t *testing.T) {
	of, trust := identity(t, "orders")
	var leave atomic.Bool
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if leave.Swap(false) {
			w.Header().Set("Connection", "close") // GOAWAY
		}
		io.Copy(w, r.Body)
	}, overTLS(of, true))
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{TLS: trust}, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 100 {
				if i%10 == 0 {
					leave.Store(true)
				}
				resp, err := client.Post("mesh://orders/", "text/plain", strings.NewReader("x"))
				if err != nil {
					t.Errorf("POST: %v", err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	if n := s.executions.Load(); n != 400 {
		t.Errorf("%d executions of 400 calls", n)
	}
	if s.connections.Load() < 2 {
		t.Error("the server never said goodbye")
	}
}

// H15: a status is an answer. It is judged, never made again, and handed out
// with its body.
func TestH15StatusIsAnAnswer(t *testing.T) {
	for _, c := range []struct {
		status int
		class  string
	}{
		{200, "success"}, {302, "success"}, {404, "success"}, {409, "success"},
		{429, "overload"}, {500, "failure"}, {502, "failure"}, {503, "overload"}, {504, "failure"},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				io.WriteString(w, "why")
			}
			a, b := serve(t, h), serve(t, h)
			orders := newService(t, a.addr(), b.addr())
			_, rt := orders.client(t, fairhttp.Config{}, nil)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "mesh://orders/", nil)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.status || string(body) != "why" || err != nil || resp.Header.Get("Retry-After") != "7" {
				t.Errorf("got %d %q %v", resp.StatusCode, body, err)
			}
			if n := a.executions.Load() + b.executions.Load(); n != 1 {
				t.Errorf("%d executions", n)
			}
			if n := orders.attempts(); n[c.class] != 1 {
				t.Errorf("attempts by outcome %v, want one %s", n, c.class)
			}
		})
	}
}

// Trap 14, H7: no response is discarded by default, so none can be left open:
// answers of 503 cost no connection each.
func TestH7Trap14UnhappyAnswersLeakNoConnection(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(503)
		w.Write(make([]byte, 64<<10))
	})
	orders := newService(t, s.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	for range 20 {
		fetch(t, client, "GET", "mesh://orders/", "")
	}
	if c, e := s.connections.Load(), s.executions.Load(); c != 1 || e != 20 {
		t.Errorf("%d connections and %d executions of 20 calls, want 1 and 20", c, e)
	}
}

// A base that does not trace its connections gives no proof that nothing was
// sent: nothing that may not be executed twice is tried again over it.
func TestUntracedBaseIsNotTrusted(t *testing.T) {
	for _, c := range []struct {
		name     string
		base     base
		attempts int
	}{
		{"silent", func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 1},
		{"it looked for a connection and got none", func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GetConn(r.URL.Host)
			return nil, io.ErrUnexpectedEOF
		}, 3},
		{"it got one", func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GetConn(r.URL.Host)
			httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
			return nil, io.ErrUnexpectedEOF
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			orders := newService(t, "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
			client, _ := orders.client(t, fairhttp.Config{}, c.base)
			_, err := client.Post("mesh://orders/", "", nil)
			e, ok := errors.AsType[*transport.Error](err)
			if !ok || e.Attempts != c.attempts || e.MaybeExecuted != (c.attempts == 1) {
				t.Errorf("error %v, want %d attempts", err, c.attempts)
			}
		})
	}
}
